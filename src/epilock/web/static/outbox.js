// The outbox of this device: sealed boxes that wait to be sent, and which points were taken along. All of it is
// sealed or public: no answer and no receipt code is ever written here. A box leaves when the server has said that
// it is stored, or when somebody takes away what was refused; sending one twice stores it once.
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
    const asked = work(tx.objectStore(store));
    return new Promise((resolve, reject) => {
      tx.oncomplete = () => resolve(asked?.result);
      tx.onabort = tx.onerror = () => reject(tx.error);
    });
  }
  const all = (store) => within(store, "readonly", (rows) => rows.getAll());
  const base64 = (bytes) => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));

  const changed = new EventTarget();
  async function change(work) {
    await within("boxes", "readwrite", work);
    changed.dispatchEvent(new Event("change"));
  }

  const add = (lease, box) => change((rows) => rows.add({ lease, box, refused: "" }));
  const boxes = () => all("boxes");
  const keepLease = (lease) => within("leases", "readwrite", (rows) => rows.put(lease));
  const leases = () => all("leases");
  const dropLease = (code) => within("leases", "readwrite", (rows) => rows.delete(code));

  async function removeRefused() {
    for (const { id, refused } of await boxes()) if (refused) await change((rows) => rows.delete(id));
  }

  const ask = (path, more) =>
    fetch(path, { ...more, headers: { Accept: "application/json", ...more?.headers }, redirect: "error" });

  // Sends all boxes, one by one; the answer is how it ended: "done", "sign-in", "later" or "no-network".
  async function sendAll(language) {
    try {
      const entered = await ask("/offline/session");
      if (!entered.ok) return entered.status < 500 ? "sign-in" : "later";
      const { csrf } = await entered.json();
      for (const { id, lease, box } of await boxes()) {
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
          const { title, detail, fields = [] } = await answer.json(); // details are in English
          const words = [title, language === "en" && detail, ...fields.map((field) => field[language])];
          await change((rows) => rows.put({ id, lease, box, refused: words.filter(Boolean).join(" – ") }));
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
    const found = (await boxes()).map(({ lease, box }) => ({ lease, box: base64(box) }));
    return new Blob([JSON.stringify({ format: "epilock/outbox/v1", boxes: found })], { type: "application/json" });
  }

  return { add, boxes, changed, dropLease, file, keepLease, leases, removeRefused, send };
})();
