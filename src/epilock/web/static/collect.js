// The form of a point that was taken along: what is typed is looked at, sealed, and written to the outbox as a box
// that nothing on this device opens. Until then it stands in the page alone; nothing typed is stored anywhere.
"use strict";

(() => {
  const BLOCK = 1024; // bytes: sealed forms of about one length say nothing of what is in them
  const form = document.getElementById("leased");
  const { org, lease, notice, language, serial, last, until, today, url } = form.dataset;
  const most = Number(form.dataset.most);
  const again = document.getElementById("again");
  const typedCode = document.getElementById("again-code");
  const pages = form.dataset.pages.split(" ");
  const state = document.getElementById("kept");
  const receipt = document.getElementById("receipt");
  const summary = document.getElementById("summary");
  const fields = [...form.querySelectorAll("[data-field]")];
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  const given = () => [...form.querySelectorAll("input[name=act]:checked")].map((box) => box.value);
  const isAsked = (field) => !field.dataset.act || given().includes(field.dataset.act);
  const answer = (field) => String(new FormData(form).get(`f.${field.dataset.field}`) ?? "").trim();

  // What has an act of its own is asked only where that is ticked.
  function showAsked() {
    for (const field of fields) field.hidden = !isAsked(field);
  }

  function mark(place, words) {
    place.querySelector(".slip")?.remove();
    place.classList.toggle("wrong", Boolean(words));
    const input = place.querySelector("input, select, textarea");
    const line = words && Object.assign(document.createElement("p"), { className: "error slip", textContent: words });
    answers.tie(input, line);
    if (line) input.before(line);
  }

  function slipOf(field) {
    if (!isAsked(field)) return "";
    const typed = answer(field);
    if (typed) return answers.isGood(field.dataset.category, typed, today) ? "" : field.dataset.wrong || form.dataset.wrong;
    const group = fields.filter((each) => each.dataset.group && each.dataset.group === field.dataset.group);
    if (group.length) return group[0] === field && !group.some((each) => isAsked(each) && answer(each)) ? form.dataset.oneOf : "";
    return field.dataset.needed ? form.dataset.empty : "";
  }

  // A child under 14 needs a guardian's act (PIPL 31).
  const isChild = () =>
    fields.some((field) => isAsked(field) && answers.isChild(field.dataset.category, answer(field), today));

  function slips() {
    const found = [];
    for (const box of form.querySelectorAll("input[name=act]")) {
      const needed = box.required || (box.value === "guardian" && isChild());
      found.push([box.closest(".tick"), needed && !box.checked ? form.dataset.tick : ""]);
    }
    for (const field of fields) found.push([field, slipOf(field)]);
    if (isAgain()) found.push([again, refusedCode ? "" : again.dataset.wrong]);
    return found;
  }

  // A form that was refused is filled in once more under the code that its person holds, if it is one of this device.
  const isAgain = () => location.hash === "#again";
  let refusedCode = null;
  async function readAgain() {
    const read = isAgain() && readReceiptCode(typedCode.value);
    const marks = (await outbox.refused()).filter((box) => box.lease === lease).map((box) => box.mark);
    refusedCode = read && read.serial === Number(serial) && marks.includes(read.code.slice(-5)) ? read : null;
  }

  // Brings ``place`` below the bar from its top on, as far as what is focused in it stays on the screen.
  function show(place, focused) {
    focused.focus({ preventScroll: true });
    place.scrollIntoView({ behavior: "instant" });
    focused.scrollIntoView({ behavior: "instant", block: "nearest" });
  }

  // The address stays: it says whether somebody is asked again.
  function lead(event, place) {
    event.preventDefault();
    show(place, place.querySelector("input, select, textarea"));
  }

  function check() {
    const list = document.createElement("ul");
    for (const [place, words] of slips()) {
      mark(place, words);
      if (!words) continue;
      const link = document.createElement("a");
      link.href = `#${place.querySelector("input, select, textarea").id}`;
      link.textContent = `${place.dataset.name}: ${words}`;
      link.addEventListener("click", (event) => lead(event, place));
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    summary.querySelector("ul")?.remove();
    summary.append(list);
    summary.hidden = !list.children.length;
    if (!summary.hidden) show(summary, summary);
    return summary.hidden;
  }

  function plaintext(client) {
    const typed = fields.filter((field) => isAsked(field) && answer(field)).map((field) => [field.dataset.field, answer(field)]);
    const said = { client, notice, given: given(), fields: Object.fromEntries(typed), language };
    const body = new TextEncoder().encode(JSON.stringify(said));
    const filled = new Uint8Array(Math.ceil(body.length / BLOCK) * BLOCK).fill(32);
    filled.set(body);
    return filled;
  }

  let saving = false; // a second tap must not make a second form of it

  async function save(event) {
    event.preventDefault();
    if (isAgain()) await readAgain();
    if (saving || !mayFill()) return showState();
    if (!check()) return;
    saving = true;
    try {
      const client = refusedCode?.uuid ?? crypto.randomUUID();
      const info = new TextEncoder().encode(`epilock/offline/v1\0${lease}`);
      shown = await outbox.add(lease, await hpke.seal(bytes(form.dataset.public), info, plaintext(client)), { again: isAgain() });
      showSent("no");
      hear(await outbox.lease(lease));
      showReceipt(receiptCode(Number(serial), client));
    } catch {
      await outbox.lease(lease).then(hear, () => {});
      showState("unsaved"); // what was typed is still there
      state.scrollIntoView();
    } finally {
      saving = false;
    }
    await device.send();
  }

  function showReceipt(code) {
    form.reset();
    showAsked();
    form.hidden = true;
    document.getElementById("code").textContent = code;
    document.getElementById("code-qr").replaceChildren(qr.picture(`${url}${code}`, receipt.dataset.qr));
    if (isAgain()) history.replaceState(null, "", location.pathname + location.search);
    showAgain();
    receipt.hidden = false;
    showState();
    receipt.querySelector("h2").focus({ preventScroll: true });
    scrollTo({ top: 0, behavior: "instant" });
  }

  let shown = null; // the box of the receipt on the screen, until it is known what became of it

  function showSent(sent) {
    for (const each of receipt.querySelectorAll("[data-sent]")) each.hidden = !each.dataset.sent.split(" ").includes(sent);
  }

  // What is sent, refused, or filled in on another page of this device is said here too, and that a lease is over.
  async function hearOfChange() {
    const id = shown;
    const [boxes, found] = await Promise.all([outbox.boxes(), outbox.lease(lease)]);
    const box = boxes.find((each) => each.id === id);
    if (id !== null && id === shown) {
      if (!box || outbox.isRefused(box)) showSent(!box ? "yes" : box.lost ? "lost" : "refused");
      if (box?.refused.length && !box.lost) showWhy(box);
      if (!box || box.lost) shown = null;
    }
    hear(found);
    showState();
  }

  // The person is still there: the form is filled in once more under the code on the screen.
  function showWhy(box) {
    const list = receipt.querySelector("ul[data-sent=refused]");
    list.replaceChildren(...box.refused.map((words) => Object.assign(document.createElement("li"), { textContent: words })));
    document.getElementById("again-now").hidden = !box.mark;
  }

  async function askAgain() {
    const { textContent: code } = document.getElementById("code");
    history.replaceState(null, "", `${location.pathname}${location.search}#again`);
    next();
    showAgain();
    typedCode.value = code;
    await readAgain();
    showState();
    show(again, document.querySelector("h1"));
  }

  function next() {
    shown = null;
    document.getElementById("code").textContent = "";
    document.getElementById("code-qr").replaceChildren();
    receipt.hidden = true;
    form.hidden = false;
    document.querySelector("h1").focus({ preventScroll: true });
    scrollTo({ top: 0, behavior: "instant" });
    showState();
  }

  let kept = { made: 0 }; // what the device holds of this lease, such as how many forms it has sealed under it

  // Where nothing can be saved any more, nothing that was typed stays.
  function hear(found) {
    if (found.over && !kept.over) form.reset();
    kept = found;
    showAsked();
  }

  // A day that is over, or a lease that is full, takes nobody new; who was refused may be asked until it ends.
  function closedBy() {
    if (kept.over) return "ended";
    if (Date.now() >= Date.parse(until)) return "over";
    if (isAgain()) return "";
    if (Date.now() >= Date.parse(last)) return "over";
    return kept.made >= most ? "full" : "";
  }
  const mayFill = () => !closedBy();

  function showState(name = state.dataset.now) {
    const closed = closedBy();
    state.dataset.now = name;
    for (const each of state.querySelectorAll("[data-state]")) each.hidden = each.dataset.state !== (closed || name);
    state.className = closed ? "box bad" : name === "ready" ? "box good" : "box warn";
    const count = document.getElementById("count");
    count.textContent = count.dataset.text.replace("#", kept.made).replace("#", most);
    form.hidden = Boolean(closed) || !receipt.hidden;
  }

  function showAgain() {
    again.hidden = !isAgain();
    typedCode.value = "";
    refusedCode = null;
  }

  // The pages of this lease, with the files they use, in a cache of their own.
  // All of them come or none; a cache that is empty was begun, and the network went.
  async function keep() {
    await device.kept;
    const files = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src]")];
    const cache = await caches.open(`epilock-lease-${lease}`);
    if (!(await cache.keys()).length) await cache.addAll([...pages, ...files.map((each) => each.href || each.src)]);
    await outbox.keepLease({ org, lease, name: form.dataset.name, pages, last, until });
    await navigator.storage?.persist?.();
  }

  addEventListener("beforeunload", (event) => {
    // What is typed, and the code of a receipt, live in this page alone.
    if (!receipt.hidden || fields.some(answer)) event.preventDefault();
  });
  form.addEventListener("submit", save);
  form.addEventListener("change", (event) => {
    showAsked();
    const field = event.target.closest("[data-field]");
    if (field && answer(field)) answers.afterPress(() => mark(field, slipOf(field)));
  });
  typedCode.addEventListener("change", readAgain);
  addEventListener("hashchange", () => { showAgain(); showState(); });
  document.getElementById("next").addEventListener("click", next);
  document.getElementById("again-now").addEventListener("click", askAgain);
  showAsked();
  showAgain();
  outbox.changed.addEventListener("change", hearOfChange);
  const counted = outbox.lease(lease).then(hear);
  device.begin(() => counted.then(() => showState()));
  showState("not-yet");
  setInterval(showState, 60_000); // the day ends while the page is open
  counted.then(keep).then(() => showState("ready"), () => showState("failed"));
})();
