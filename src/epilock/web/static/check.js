// The page around verify.js: what is checked here is never sent anywhere. A page without scripts loses nothing
// but this: the part is not shown there. `#check` may hold a proof of its own, which is checked at once.
//
// Written for browsers that can't read verify.js: there it is this file that says so.
"use strict";

(() => {
  const part = document.getElementById("check");
  const answer = document.getElementById("check-answer");
  const steps = [...part.querySelectorAll("[data-step]")];
  const MOST = 1 << 20; // bytes of a file, as verify.js says
  const bytes = (text) => new TextEncoder().encode(text);
  const read = async (name) => {
    const files = [...document.getElementById(name).files];
    return Promise.all(files.map(async (file) => new Uint8Array(await new Response(file).arrayBuffer())));
  };

  // Of several files the receipt is the one with the lowest index: what became of a record comes after it.
  function indexOf(file) {
    const found = /^index (\d+)$/m.exec(new TextDecoder("latin1").decode(file));
    return found ? Number(found[1]) : 0;
  }

  // A step is done if it stands before the one that failed; of no kind of file are all seven taken.
  function show(found) {
    const last = found.ok ? steps.length + 1 : found.number;
    steps.forEach((step, at) => {
      const done = at + 1 < last, failed = at + 1 === last;
      step.dataset.mark = done ? "done" : failed ? "failed" : "open";
    });
    if (found.ok) say("good", part.dataset.good, [found.origin, ...numbers(found), ...signers(found)].join(" · "));
    else say("bad", part.dataset.bad, `${found.number}. ${found.error}: ${found.why}`);
  }

  // `detail` is for technical staff; of a failure it is English on every page.
  function say(kind, text, detail = "") {
    answer.className = answer.classList.contains("own") ? `box own ${kind}` : `box ${kind}`;
    answer.textContent = "";
    for (const [said, style] of [[text, ""], [detail, "soft"]].filter(([said]) => said)) {
      const line = document.createElement("p");
      line.className = style;
      line.textContent = said;
      if (style && kind === "bad") line.lang = "en";
      answer.append(line);
    }
    answer.hidden = false;
  }

  const numbers = ({ index, size }) => [[index, part.dataset.entry], [size, part.dataset.size]]
    .filter(([number]) => number !== undefined)
    .map(([number, words]) => words.replace("#", number));

  // A receipt's own page says it in words, also if nobody did.
  function signers(found) {
    const names = found.witnesses || [];
    if (!part.dataset.witnessed) return names;
    return names.length ? [`${part.dataset.witnessed} ${names.join(", ")}`] : [part.dataset.alone];
  }

  async function run(given) {
    let found = null, keyWrong = false;
    try {
      found = await epilock.check(given);
      keyWrong = !found.ok && await isKeyWrong(given);
    } catch (tooOld) { // without Ed25519, without a secure page, or without verify.js: none of them is a forgery
      say("warn", part.dataset.old);
    }
    if (keyWrong) {
      say("warn", part.dataset.keyWrong);
      document.getElementById("check-key").focus();
    } else if (found) show(found);
  }

  // A key that was mistyped says nothing of the file; so it is read without one, for a file may have the same slips.
  async function isKeyWrong({ keys }) {
    if (!keys || !keys.length) return false;
    const alone = await epilock.check({ file: new Uint8Array(0), keys });
    return alone.number === 1 && /^(a key |this base64|this is not base64)/.test(alone.why);
  }

  async function submitted(event) {
    event.preventDefault();
    const order = (each) => indexOf(each) || Infinity; // the first entry of a log is nobody's receipt
    const [file, ...proofs] = (await read("check-file")).sort((a, b) => order(a) - order(b));
    const [policy] = await read("check-policy");
    const [entry] = await read("check-entry");
    if (!file) {
      say("bad", part.dataset.none);
      document.getElementById("check-file").focus();
      return;
    }
    const typed = document.getElementById("check-key").value.trim();
    const slip = slipOf(file, policy || typed);
    if (slip) {
      say("warn", slip);
      return;
    }
    await run({ file, policy, entry, keys: typed ? typed.split(/\s+/) : [], proofs: proofs.length ? proofs : undefined });
  }

  function isBinary(file) {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(file).startsWith("%PDF");
    } catch (notText) {
      return true;
    }
  }

  // What can't be checked is no forgery: another file than a proof, or no key to check it by.
  function slipOf(file, key) {
    if (file.length > MOST) return part.dataset.large;
    const text = new TextDecoder("latin1").decode(file).trimStart();
    if (isBinary(file)) return part.dataset.binary;
    if (text.startsWith("{") && !text.includes('"older"')) return part.dataset.json; // with it: of misbehaviour
    return key ? "" : part.dataset.keyless;
  }

  const own = document.getElementById("check-proof");
  const ends = [...part.querySelectorAll(".check-end")].map((each) => bytes(each.textContent));
  if (own) {
    const proofs = ends.length ? ends : undefined;
    const policy = bytes(document.getElementById("check-own-policy").textContent);
    run({ file: bytes(own.textContent), policy, proofs });
  }
  const form = document.getElementById("check-form");
  if (form) form.addEventListener("submit", submitted);
})();
