// The first page of what a device has with it: points it may collect at, and the outbox.
"use strict";

(() => {
  const list = document.getElementById("leases");
  const refused = document.getElementById("refused");
  const lost = document.getElementById("lost");
  const confirm = document.getElementById("have-file");
  const remove = document.getElementById("remove");

  const made = (name, words = "") => Object.assign(document.createElement(name), { textContent: words });

  // A list is drawn anew only when it has changed, so that whoever is in it with a keyboard stays there.
  const drawn = new Map();
  function isNew(where, ...what) {
    const now = JSON.stringify(what);
    return now !== drawn.get(where) && Boolean(drawn.set(where, now));
  }

  function stateOf({ last, over }) {
    if (over) return list.dataset.ended;
    return Date.now() < Date.parse(last) ? list.dataset.open : list.dataset.over;
  }

  async function showLeases() {
    const kept = await forget(await outbox.leases());
    document.getElementById("no-leases").hidden = kept.length > 0;
    if (!isNew(list, kept, kept.map(stateOf))) return;
    list.replaceChildren(...kept.map((each) => {
      const link = made("a", each.name);
      link.href = pageOf(each);
      const item = made("li");
      item.append(link, ` · ${stateOf(each)}`);
      return item;
    }));
  }

  // A point leaves the device when the site has said that its lease is over, and its own time is too: the device's
  // clock may be wrong, and one that was ended early says so as long as somebody may come back to it. (One that was
  // kept by an earlier program can't be asked about.) So does one of whose forms it is not known yet if they arrived.
  // What stays is returned.
  async function forget(leases) {
    const open = (await outbox.boxes()).filter((box) => !box.lost).map((box) => box.lease);
    const gone = leases.filter(({ org, lease, over, until }) =>
      (over || !org) && Date.now() >= Date.parse(until) && !open.includes(lease));
    for (const { lease } of gone) {
      await caches.delete(`epilock-lease-${lease}`);
      await outbox.dropLease(lease);
    }
    return leases.filter((each) => !gone.includes(each));
  }

  const nameOf = (box, lease) => made("strong", [
    box.number && refused.dataset.number.replace("#", box.number), box.mark && `…${box.mark}`, lease?.name,
  ].filter(Boolean).join(" · "));

  // What nobody can open any more: which forms it is, so that their persons are found; there is nothing to keep.
  async function showLost() {
    const [found, leases] = [await outbox.lost(), await outbox.leases()];
    if (!isNew(lost, found.map((box) => [box.id, box.unsure]), leases.map((each) => each.lease))) return;
    lost.hidden = !found.length;
    lost.querySelector("ol").replaceChildren(...found.map((box) => {
      const item = made("li");
      item.append(nameOf(box, leases.find((each) => each.lease === box.lease)));
      if (box.unsure) item.append(` · ${lost.dataset.unsure}`);
      return item;
    }));
  }

  // Which form, by its number on this device and the end of its code; why; and where its person is asked again.
  async function showRefused() {
    const [found, leases] = [await outbox.refused(), await outbox.leases()];
    showRemoval(found);
    if (!isNew(refused, found.map((box) => [box.id, box.mark, box.refused]), leases.map((each) => each.lease))) return;
    refused.hidden = !found.length;
    refused.querySelector("ol").replaceChildren(...found.map((box) => {
      const lease = leases.find((each) => each.lease === box.lease);
      const which = nameOf(box, lease);
      const why = made("ul");
      why.append(...box.refused.map((words) => made("li", words)));
      const item = made("li");
      item.append(which, why);
      if (box.mark && lease) {
        const again = made("a", refused.dataset.again);
        again.href = `${pageOf(lease)}#again`;
        item.append(again);
      }
      return item;
    }));
  }

  // Nothing is taken away that is not in a file, and nobody has said that they have the file.
  function showRemoval(found) {
    const there = found.length > 0 && found.every((box) => box.exported);
    confirm.disabled = !there;
    confirm.checked &&= there;
    remove.disabled = !confirm.checked;
  }

  const pageOf = ({ pages }) => pages.find((page) => page.endsWith(`lang=${list.dataset.language}`)) ?? pages[0];

  // One file is had at once; where there are several each is fetched by a press of its own, for a browser gives no
  // second file unasked. What is in a file counts as exported once that has been fetched.
  async function exportFiles() {
    const found = await outbox.files(), place = document.getElementById("files");
    for (const old of place.querySelectorAll("a")) URL.revokeObjectURL(old.href);
    const links = found.map(({ ids, file }, at) => {
      const of = found.length > 1 ? `-${at + 1}-of-${found.length}` : "";
      const link = made("a", place.dataset.file.replace("#", at + 1).replace("#", found.length));
      Object.assign(link, { href: URL.createObjectURL(file), download: `epilock-outbox${of}.json` });
      link.addEventListener("click", () => outbox.markExported(ids));
      return link;
    });
    place.hidden = links.length < 2;
    place.querySelector("ul").replaceChildren(...links.map((link) => {
      const item = made("li");
      item.append(link);
      return item;
    }));
    if (links.length === 1) links[0].click();
  }

  document.getElementById("export").addEventListener("click", device.pressed(exportFiles));
  confirm.addEventListener("change", async () => showRemoval(await outbox.refused()));
  remove.addEventListener("click", outbox.removeExported);
  document.getElementById("remove-lost").addEventListener("click", outbox.removeLost);
  const showAll = () => Promise.all([showLeases(), showRefused(), showLost()]);
  outbox.changed.addEventListener("change", showAll);
  device.begin(showAll);
})();
