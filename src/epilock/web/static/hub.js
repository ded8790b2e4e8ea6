// The first page of what a device has with it: points it may collect at, and the outbox.
"use strict";

(() => {
  const list = document.getElementById("leases");
  const refused = document.getElementById("refused");
  const confirm = document.getElementById("have-file");
  const remove = document.getElementById("remove");

  async function showLeases() {
    list.replaceChildren();
    for (const kept of await outbox.leases()) {
      const { lease, name, last, until } = kept;
      if (Date.now() >= Date.parse(until)) {
        await caches.delete(`epilock-lease-${lease}`);
        await outbox.dropLease(lease);
        continue;
      }
      const link = document.createElement("a");
      link.href = pageOf(kept);
      link.textContent = name;
      const words = Date.now() < Date.parse(last) ? list.dataset.open : list.dataset.over;
      const item = document.createElement("li");
      item.append(link, ` · ${words}`);
      list.append(item);
    }
    document.getElementById("no-leases").hidden = list.children.length > 0;
  }

  const made = (name, words = "") => Object.assign(document.createElement(name), { textContent: words });

  let shown = ""; // drawn anew only when it has changed, so that whoever is in it with a keyboard stays there

  // Which form, by its number on this device and the end of its code; why; and where its person is asked again.
  async function showRefused() {
    const [found, leases] = [await outbox.refused(), await outbox.leases()];
    showRemoval(found);
    const now = JSON.stringify([found.map((box) => [box.id, box.mark, box.refused]), leases.map((each) => each.lease)]);
    if (now === shown) return;
    shown = now;
    refused.hidden = !found.length;
    refused.querySelector("ol").replaceChildren(...found.map((box) => {
      const lease = leases.find((each) => each.lease === box.lease);
      const which = made("strong", [
        box.number && refused.dataset.number.replace("#", box.number), box.mark && `…${box.mark}`, lease?.name,
      ].filter(Boolean).join(" · "));
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

  async function exportFile() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await outbox.file());
    link.download = "epilock-outbox.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  document.getElementById("export").addEventListener("click", exportFile);
  confirm.addEventListener("change", async () => showRemoval(await outbox.refused()));
  remove.addEventListener("click", outbox.removeExported);
  outbox.changed.addEventListener("change", showRefused);
  device.begin();
  showLeases();
  showRefused();
})();
