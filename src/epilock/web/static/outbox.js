// The outbox of this device: sealed boxes that wait to be sent, and which points were taken along. All of it is
// sealed or public: no answer and no receipt code is ever written here, of a refused form only the code's last group.
// A box leaves when the server has said that it needs it no more, or when somebody takes away what was refused and is
// in an exported file; sending one twice stores it once. Under a lease that is over nothing is put in or sent any more:
// its boxes are lost, for nobody can open them.
"use strict";

const outbox = (() => {
  const ASKED = 20; // leases in one question
  const opened = new Promise((resolve, reject) => {
    const wanted = indexedDB.open("epilock", 1);
    wanted.onupgradeneeded = () => {
      wanted.result.createObjectStore("boxes", { keyPath: "id", autoIncrement: true });
      wanted.result.createObjectStore("leases", { keyPath: "lease" });
    };
    wanted.onsuccess = () => resolve(wanted.result);
    wanted.onerror = () => reject(wanted.error);
  });

  // One transaction; done when it is on the disk.
  async function within(store, mode, work) {
    const tx = (await opened).transaction(store, mode, { durability: "strict" });
    const asked = work(tx.objectStore([store].flat()[0]), tx);
    return new Promise((resolve, reject) => {
      tx.oncomplete = () => resolve(asked?.result);
      tx.onabort = tx.onerror = () => reject(tx.error);
    });
  }
  const all = (store) => within(store, "readonly", (rows) => rows.getAll());
  const base64 = (bytes) => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));

  // Every page of this device that is open hears of a change, whichever of them made it; in
  // Safari before 15.4, which has no such channel, when it looks next.
  const changed = new EventTarget();
  const others = "BroadcastChannel" in globalThis ? new BroadcastChannel("epilock-outbox") : { postMessage() {} };
  others.onmessage = () => changed.dispatchEvent(new Event("change"));
  async function change(work, stores = "boxes") {
    await within(stores, "readwrite", work);
    changed.dispatchEvent(new Event("change"));
    others.postMessage("");
  }

  // What is known of a box is added to what it is by then, if it is there: another page, or the sending, may have changed it.
  const learn = (id, more) => change((rows) => {
    rows.get(id).onsuccess = ({ target: { result } }) => { if (result) rows.put({ ...result, ...more }); };
  });

  // Puts a box in, and counts it under its lease in the same transaction; one that was asked again was counted before.
  // The answer is its id. It fails where the lease is over.
  const add = async (lease, box, { again = false } = {}) => {
    let added;
    await change((rows, tx) => {
      const put = (more) => { added = rows.add({ lease, box, refused: [], ...more }); };
      const kept = tx.objectStore("leases");
      kept.get(lease).onsuccess = ({ target: { result } }) => {
        if (result?.over) return tx.abort();
        if (again) return put();
        const made = (result?.made ?? 0) + 1;
        put({ number: made });
        if (result) kept.put({ ...result, made });
      };
    }, ["boxes", "leases"]);
    return added.result;
  };
  const boxes = () => all("boxes");
  const keepLease = (lease) => within("leases", "readwrite", (rows) => {
    rows.get(lease.lease).onsuccess = ({ target: { result } }) => rows.put({ made: 0, ...result, ...lease });
  });
  const lease = async (code) => ({ made: 0, ...await within("leases", "readonly", (rows) => rows.get(code)) });
  const leases = () => all("leases");
  const dropLease = (code) => within("leases", "readwrite", (rows) => rows.delete(code));

  // The site takes nothing more under a lease.
  const endLease = (code) => change((rows, tx) => {
    const kept = tx.objectStore("leases");
    kept.get(code).onsuccess = ({ target: { result } }) => { if (result) kept.put({ ...result, over: true }); };
    rows.openCursor().onsuccess = ({ target: { result } }) => {
      if (!result) return;
      if (result.value.lease === code) result.update({ ...result.value, lost: true });
      result.continue();
    };
  }, ["boxes", "leases"]);

  const isRefused = (box) => box.lost || box.refused.length > 0;
  const refused = async () => (await boxes()).filter((box) => !box.lost && isRefused(box));
  const lost = async () => (await boxes()).filter((box) => box.lost);

  // Takes away what was refused and is in a file; what came in since the file was written stays.
  async function removeExported() {
    for (const { id, exported } of await refused()) if (exported) await change((rows) => rows.delete(id));
  }

  async function removeLost() {
    for (const { id } of await lost()) await change((rows) => rows.delete(id));
  }

  const ask = (path, more) =>
    fetch(path, { ...more, headers: { Accept: "application/json", ...more?.headers }, redirect: "error" });

  // Asks which leases of this device are over: a session has mostly ended long before, so none is needed.
  async function learnOver() {
    const going = (await leases()).filter((each) => !each.over).slice(0, ASKED);
    if (!going.length) return;
    const named = new URLSearchParams(going.map((each) => ["lease", `${each.org}/${each.lease}`]));
    const answer = await ask(`/offline/over?${named}`);
    if (answer.ok) for (const code of (await answer.json()).over) await endLease(code);
  }

  const toSend = async () => (await boxes()).filter((box) => !box.lost);

  // Sends all boxes, one by one; the answer is how it ended: "done", "sign-in", "other" (who is signed in did not
  // take some of it along), "later", "no-network", or "" where there is nothing to send.
  async function sendAll(language) {
    try {
      await learnOver();
      const waiting = await toSend();
      if (!waiting.length) return "";
      const entered = await ask("/offline/session");
      if (!entered.ok) return entered.status < 500 ? "sign-in" : "later";
      const { csrf } = await entered.json();
      const over = new Set(), others = new Set();
      // What was asked again goes first: it replaces what was refused.
      for (const each of [...waiting.filter((one) => !isRefused(one)), ...waiting.filter(isRefused)]) {
        const { id, lease, box } = each;
        if (over.has(lease) || others.has(lease)) continue;
        const answer = await ask(`/offline/${lease}/boxes?lang=${language}`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ csrf, box: base64(box) }),
        });
        if (answer.ok) {
          await change((rows) => rows.delete(id));
        } else if (answer.status === 401) {
          return "sign-in";
        } else if ([403, 404].includes(answer.status)) { // of another organisation: the box is good, who sends it did not take the lease
          others.add(lease);
        } else if (answer.status === 410) { // so it is for all that was sealed under this lease
          over.add(lease);
          await endLease(lease);
        } else if (answer.status === 429 || answer.status >= 500) {
          return "later";
        } else {
          const { title, detail, mark = "", fields = [] } = await answer.json(); // details are in English
          const words = fields.length ? fields.map((field) => field[language]) : [title, language === "en" && detail];
          await learn(id, { mark, refused: words.filter(Boolean) });
        }
      }
      return others.size ? "other" : "done";
    } catch {
      return (await toSend()).length ? "no-network" : "";
    }
  }

  // One sending at a time, whichever page of this device begins it.
  const send = (language) =>
    navigator.locks ? navigator.locks.request("epilock-send", () => sendAll(language)) : sendAll(language);

  // The outbox as a file: sealed as it is, for whoever carries it to a computer with a network.
  async function file() {
    const all = await toSend();
    const found = all.map(({ lease, box }) => ({ lease, box: base64(box) }));
    const made = new Blob([JSON.stringify({ format: "epilock/outbox/v1", boxes: found })], { type: "application/json" });
    for (const each of all) if (isRefused(each)) await learn(each.id, { exported: true });
    return made;
  }

  return {
    add, boxes, changed, dropLease, file, isRefused, keepLease, learnOver, lease, leases, lost, refused, removeExported,
    removeLost, send,
  };
})();
