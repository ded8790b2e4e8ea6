// The first page of what a device has with it: points it may collect at, and the outbox.
"use strict";

(() => {
  const list = document.getElementById("leases");
  const refused = document.getElementById("refused");

  async function showLeases() {
    list.replaceChildren();
    for (const { lease, name, pages, last, until } of await outbox.leases()) {
      if (Date.now() >= Date.parse(until)) {
        await caches.delete(`epilock-lease-${lease}`);
        await outbox.dropLease(lease);
        continue;
      }
      const link = document.createElement("a");
      link.href = pages.find((page) => page.endsWith(`lang=${list.dataset.language}`)) ?? pages[0];
      link.textContent = name;
      const words = Date.now() < Date.parse(last) ? list.dataset.open : list.dataset.over;
      const item = document.createElement("li");
      item.append(link, ` · ${words}`);
      list.append(item);
    }
    document.getElementById("no-leases").hidden = list.children.length > 0;
  }

  async function showRefused() {
    const found = (await outbox.boxes()).filter((box) => box.refused);
    refused.hidden = !found.length;
    refused.querySelector("ol").replaceChildren(...found.map((box) => {
      const item = document.createElement("li");
      item.textContent = box.refused;
      return item;
    }));
  }

  async function exportFile() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await outbox.file());
    link.download = "epilock-outbox.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  document.getElementById("export").addEventListener("click", exportFile);
  document.getElementById("remove").addEventListener("click", outbox.removeRefused);
  outbox.changed.addEventListener("change", showRefused);
  device.begin();
  showLeases();
  showRefused();
})();
