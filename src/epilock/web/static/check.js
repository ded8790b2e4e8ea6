// The page around verify.js: what is checked here is never sent anywhere. A page without scripts loses nothing
// but this: the part is hidden until this runs. `#check` may hold a proof of its own, which is checked at once.
"use strict";

(() => {
  const part = document.getElementById("check");
  const answer = document.getElementById("check-answer");
  const steps = [...part.querySelectorAll("[data-step]")];
  const bytes = (text) => new TextEncoder().encode(text);
  const read = async (name) => {
    const files = [...(document.getElementById(name)?.files ?? [])];
    return Promise.all(files.map(async (file) => new Uint8Array(await file.arrayBuffer())));
  };

  // Of several files the receipt is the one with the lowest index: what became of a record comes after it.
  const indexOf = (file) => Number(/^index (\d+)$/m.exec(new TextDecoder("latin1").decode(file))?.[1] ?? 0);

  // A step is done if it stands before the one that failed; of no kind of file are all seven taken.
  function show(found) {
    const names = steps.map((step) => step.dataset.step);
    const last = found.number ?? names.length + 1;
    steps.forEach((step, at) => {
      const done = at + 1 < last, failed = at + 1 === last;
      step.dataset.mark = done ? "done" : failed ? "failed" : "open";
    });
    answer.className = found.ok ? "box good" : "box bad";
    answer.replaceChildren();
    const line = document.createElement("p");
    line.textContent = found.ok ? part.dataset.good : part.dataset.bad;
    answer.append(line);
    const detail = document.createElement("p");
    detail.className = "soft";
    detail.textContent = found.ok
      ? [found.origin, found.index ?? "", found.size ?? "", ...signers(found)].filter((x) => x !== "").join(" · ")
      : `${found.number}. ${found.error}: ${found.why}`;
    answer.append(detail);
    answer.hidden = false;
  }

  // A receipt's own page says it in words, also if nobody did.
  function signers(found) {
    const names = found.witnesses ?? [];
    if (!part.dataset.witnessed) return names;
    return names.length ? [`${part.dataset.witnessed} ${names.join(", ")}`] : [part.dataset.alone];
  }

  async function run(given) {
    if (!globalThis.crypto?.subtle) {
      answer.textContent = part.dataset.old;
      answer.className = "box warn";
      answer.hidden = false;
      return;
    }
    try {
      show(await epilock.check(given));
    } catch {
      answer.textContent = part.dataset.old; // an old browser without Ed25519 is no forgery
      answer.className = "box warn";
      answer.hidden = false;
    }
  }

  async function submitted(event) {
    event.preventDefault();
    const order = (each) => indexOf(each) || Infinity; // the first entry of a log is nobody's receipt
    const [file, ...proofs] = (await read("check-file")).sort((a, b) => order(a) - order(b));
    const [policy] = await read("check-policy");
    const [entry] = await read("check-entry");
    if (!file) return;
    const typed = document.getElementById("check-key").value.trim();
    await run({ file, policy, entry, keys: typed ? typed.split(/\s+/) : [], proofs: proofs.length ? proofs : undefined });
  }

  part.hidden = false;
  const own = document.getElementById("check-proof");
  const ends = [...part.querySelectorAll(".check-end")].map((each) => bytes(each.textContent));
  if (own) {
    const proofs = ends.length ? ends : undefined;
    const policy = bytes(document.getElementById("check-own-policy").textContent);
    run({ file: bytes(own.textContent), policy, proofs });
  }
  document.getElementById("check-form")?.addEventListener("submit", submitted);
})();
