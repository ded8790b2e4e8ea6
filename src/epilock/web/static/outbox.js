// The outbox of this device: sealed boxes that wait to be sent, and which points were taken along. All of it is
// sealed or public: no answer and no receipt code is ever written here, of a refused form only the code's last group.
// A box leaves when the server has said that it needs it no more, or when somebody takes away what was refused and is
// in an exported file; sending one twice stores it once. Under a lease that is over nothing is put in or sent any more:
// of each of its boxes the server is asked if it arrived, for it may have come as a file, or its answer was lost on the
// way. The others are lost, for nobody can open them.
"use strict";

const outbox = (() => {
  const ASKED = 20; // leases in one question
  const IN_FILE = 500, LONG = 900_000; // boxes, and characters, of one exported file: what is taken at once
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
  const endLease = (code) => change((kept) => {
    kept.get(code).onsuccess = ({ target: { result } }) => { if (result) kept.put({ ...result, over: true }); };
  }, "leases");

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
  const tell = (path, said) =>
    ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) });
  const digest = async (box) =>
    [...new Uint8Array(await crypto.subtle.digest("SHA-256", box))].map((b) => b.toString(16).padStart(2, "0")).join("");

  // Asks which leases of this device are over: a session has mostly ended long before, so none is needed.
  async function learnOver() {
    const going = (await leases()).filter((each) => !each.over).slice(0, ASKED);
    if (going.length) {
      const named = new URLSearchParams(going.map((each) => ["lease", `${each.org}/${each.lease}`]));
      const answer = await ask(`/offline/over?${named}`);
      if (answer.ok) for (const code of (await answer.json()).over) await endLease(code);
    }
    await settle();
  }

  // What is in the outbox under a lease that goes on, or nothing is known of any more.
  async function toSend() {
    const over = (await leases()).filter((each) => each.over).map((each) => each.lease);
    return (await boxes()).filter((box) => !box.lost && !over.includes(box.lease));
  }

  // Asks what became of the boxes under leases that are over. (One that was kept by an earlier program can't be asked
  // about.) While there is no answer they wait.
  async function settle() {
    for (const { org, lease: code } of (await leases()).filter((each) => each.over)) {
      const own = (await boxes()).filter((box) => box.lease === code && !box.lost);
      for (let at = 0; at < own.length; at += IN_FILE) {
        const some = own.slice(at, at + IN_FILE);
        const named = await Promise.all(some.map(({ box }) => digest(box)));
        const answer = org && await tell("/offline/arrived", { lease: `${org}/${code}`, boxes: named });
        if (org && !answer.ok) return;
        const { arrived, known } = org ? await answer.json() : { arrived: [], known: false };
        for (const [n, { id }] of some.entries()) {
          if (arrived.includes(named[n])) await change((rows) => rows.delete(id));
          else await learn(id, { lost: true, unsure: !known });
        }
      }
    }
  }

  // The token of the session, or why there is none that sends: as ``sendAll`` ends.
  async function enter() {
    const answer = await ask("/offline/session");
    if (answer.ok) return answer.json();
    if (answer.status === 429 || answer.status >= 500) return { ended: "later" };
    const { type = "" } = await answer.json();
    if (type.endsWith(":unfinished")) return { ended: "unfinished" };
    return { ended: answer.status === 403 ? "no-right" : "sign-in" };
  }

  // Sends all boxes, one by one; the answer is how it ended: "done", "sign-in", "unfinished" (the account is still to be
  // set up), "no-right" (it may not collect), "other" (who is signed in did not take some of it along), "full" (more
  // were filled in than were allowed), "later", "no-network", or "" where there is nothing to send.
  async function sendAll(language) {
    try {
      await learnOver();
      const waiting = await toSend();
      if (!waiting.length) return "";
      const { csrf, ended } = await enter();
      if (ended) return ended;
      const over = new Set(), others = new Set(), full = new Set();
      // What was asked again goes first: it replaces what was refused.
      for (const each of [...waiting.filter((one) => !isRefused(one)), ...waiting.filter(isRefused)]) {
        const { id, lease, box } = each;
        if (over.has(lease) || others.has(lease) || full.has(lease)) continue;
        const answer = await tell(`/offline/${lease}/boxes?lang=${language}`, { csrf, box: base64(box) });
        if (answer.ok) {
          await change((rows) => rows.delete(id));
        } else if (answer.status === 401) {
          return "sign-in";
        } else if ([403, 404].includes(answer.status)) { // of another organisation: the box is good, who sends it did not take the lease
          others.add(lease);
        } else if (answer.status === 410) { // so it is for all that was sealed under this lease
          const kept = (await leases()).some((one) => one.lease === lease);
          if (kept) over.add(lease);
          await (kept ? endLease(lease) : learn(id, { lost: true, unsure: true }));
        } else if (answer.status === 429 || answer.status >= 500) {
          return "later";
        } else {
          const { type, title, detail, mark = "", fields = [] } = await answer.json(); // details are in English
          if (type.endsWith(":limit")) { // a custodian may allow more
            full.add(lease);
            continue;
          }
          const words = fields.length ? fields.map((field) => field[language]) : [title, language === "en" && detail];
          await learn(id, { mark, refused: words.filter(Boolean) });
        }
      }
      await settle();
      return others.size ? "other" : full.size ? "full" : "done";
    } catch {
      return (await toSend()).length ? "no-network" : "";
    }
  }

  // One sending at a time, whichever page of this device begins it.
  const send = (language) =>
    navigator.locks ? navigator.locks.request("epilock-send", () => sendAll(language)) : sendAll(language);

  // The outbox as files: sealed as it is, for whoever carries it to a computer with a network. Each is no larger than
  // is taken at once; with it go the ids of what is in it.
  async function files() {
    const parts = [];
    let length = LONG;
    for (const { id, lease, box } of await toSend()) {
      const said = JSON.stringify({ lease, box: base64(box) });
      if (length + said.length > LONG || parts.at(-1).ids.length === IN_FILE) {
        parts.push({ ids: [], said: [] });
        length = 0;
      }
      length += said.length + 1;
      parts.at(-1).ids.push(id);
      parts.at(-1).said.push(said);
    }
    return parts.map(({ ids, said }) => ({
      ids, file: new Blob([`{"format":"epilock/outbox/v1","boxes":[${said}]}`], { type: "application/json" }),
    }));
  }
  const markExported = async (ids) => { for (const id of ids) await learn(id, { exported: true }); };

  return {
    add, boxes, changed, dropLease, files, isRefused, keepLease, learnOver, lease, leases, lost, markExported, refused,
    removeExported, removeLost, send,
  };
})();
