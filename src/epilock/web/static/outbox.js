// The outbox of this device: sealed boxes that wait to be sent, and which points were taken along. All of it is
// sealed or public: no answer and no receipt code is ever written here, of a refused form only the code's last group.
// A box leaves when the server has said that it needs it no more, or when somebody takes away what was refused and is
// in an exported file; sending one twice stores it once.
"use strict";

const outbox = (() => {
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

  // Puts a box in, and counts it under its lease in the same transaction; one that was asked again was counted before.
  // The answer is its id.
  const add = async (lease, box, { again = false } = {}) => {
    let added;
    await change((rows, tx) => {
      const put = (more) => { added = rows.add({ lease, box, refused: [], ...more }); };
      if (again) return put();
      const kept = tx.objectStore("leases");
      kept.get(lease).onsuccess = ({ target: { result } }) => {
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
  const made = async (code) => (await within("leases", "readonly", (rows) => rows.get(code)))?.made ?? 0;
  const leases = () => all("leases");
  const dropLease = (code) => within("leases", "readwrite", (rows) => rows.delete(code));

  const isRefused = (box) => box.refused.length > 0;
  const refused = async () => (await boxes()).filter(isRefused);

  // Takes away what was refused and is in a file; what came in since the file was written stays.
  async function removeExported() {
    for (const { id, exported } of await refused()) if (exported) await change((rows) => rows.delete(id));
  }

  const ask = (path, more) =>
    fetch(path, { ...more, headers: { Accept: "application/json", ...more?.headers }, redirect: "error" });

  // Sends all boxes, one by one; the answer is how it ended: "done", "sign-in", "later" or "no-network".
  async function sendAll(language) {
    try {
      const entered = await ask("/offline/session");
      if (!entered.ok) return entered.status < 500 ? "sign-in" : "later";
      const { csrf } = await entered.json();
      const waiting = await boxes(); // what was asked again goes first: it replaces what was refused
      for (const each of [...waiting.filter((one) => !isRefused(one)), ...waiting.filter(isRefused)]) {
        const { id, lease, box } = each;
        const answer = await ask(`/offline/${lease}/boxes?lang=${language}`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ csrf, box: base64(box) }),
        });
        if (answer.ok) {
          await change((rows) => rows.delete(id));
        } else if ([401, 403, 404].includes(answer.status)) {
          return "sign-in"; // perhaps of another organisation: the box is good, who sends it is not who took the lease
        } else if (answer.status === 429 || answer.status >= 500) {
          return "later";
        } else {
          const { title, detail, mark = "", fields = [] } = await answer.json(); // details are in English
          const words = fields.length ? fields.map((field) => field[language]) : [title, language === "en" && detail];
          await change((rows) => rows.put({ ...each, mark, refused: words.filter(Boolean) }));
        }
      }
      return "done";
    } catch {
      return "no-network";
    }
  }

  // One sending at a time, whichever page of this device begins it.
  const send = (language) =>
    navigator.locks ? navigator.locks.request("epilock-send", () => sendAll(language)) : sendAll(language);

  // The outbox as a file: sealed as it is, for whoever carries it to a computer with a network.
  async function file() {
    const all = await boxes();
    const found = all.map(({ lease, box }) => ({ lease, box: base64(box) }));
    const made = new Blob([JSON.stringify({ format: "epilock/outbox/v1", boxes: found })], { type: "application/json" });
    for (const each of all) if (isRefused(each)) await change((rows) => rows.put({ ...each, exported: true }));
    return made;
  }

  return { add, boxes, changed, dropLease, file, isRefused, keepLease, leases, made, refused, removeExported, send };
})();
