// What both pages for collecting without a network share: the program is kept on the device, how many sealed
// forms wait is always shown, and they are sent as soon as there is a network. A browser tells when its own network
// comes back; that the site can be reached again it does not tell, so every minute what waits is tried. Whenever the
// site is reached it is asked which leases are over, by a page that somebody looks at every minute too.
"use strict";

const device = (() => {
  const MINUTE = 60_000;
  const bar = document.getElementById("outbox");
  const language = bar.dataset.language;

  async function show() {
    const found = await outbox.boxes();
    const refused = found.filter(outbox.isRefused).length;
    const say = (text, n) => text.replace("#", n);
    const words = [found.length > refused || !refused ? say(found.length ? bar.dataset.waiting : bar.dataset.empty, found.length - refused) : ""].filter(Boolean);
    if (refused) words.push(say(bar.dataset.refused, refused));
    document.getElementById("waiting").textContent = words.join(" · ");
    bar.classList.toggle("warn", found.length > 0);
    bar.classList.toggle("good", found.length === 0);
  }

  // What is jumped to stands below the bar, however many lines that has; where it would take a third of the screen,
  // it goes along with the page.
  function makeRoom() {
    const flows = bar.offsetHeight > innerHeight / 3;
    bar.classList.toggle("flows", flows);
    document.documentElement.style.scrollPaddingTop = flows ? "" : `${bar.offsetHeight + 16}px`;
  }

  function say(ended) {
    for (const each of bar.querySelectorAll("[data-ended]")) each.hidden = each.dataset.ended !== ended;
  }

  // Sends what waits and says how it ended; where nothing waits there is nothing to say.
  const send = async () => say(await outbox.send(language));

  // A press is answered, also where there is nothing to do.
  const pressed = (work) => async () => ((await outbox.boxes()).length ? work() : say("empty"));

  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  // The network may be a moment behind the browser's word that it is there.
  async function comeBack() {
    for (const wait of [0, 2_000, 8_000]) {
      await pause(wait);
      await send();
      if ((await outbox.boxes()).every(outbox.isRefused)) return;
    }
  }

  // Shows the page whole, once ``fill`` has put in what this device holds: nothing moves under who reads it.
  async function begin(fill) {
    for (const each of document.querySelectorAll(".scripted")) each.hidden = false;
    outbox.changed.addEventListener("change", show);
    document.getElementById("send").addEventListener("click", pressed(send));
    addEventListener("online", comeBack);
    addEventListener("resize", makeRoom);
    new ResizeObserver(makeRoom).observe(bar);
    try {
      await Promise.all([show(), fill()]);
    } catch {
      return noStorage();
    } finally {
      document.body.classList.add("filled");
    }
    setInterval(async () => {
      if ((await outbox.boxes()).some((box) => !outbox.isRefused(box))) await send();
      else if (!document.hidden) await outbox.learnOver().catch(() => {}); // no network: asked in a minute
    }, MINUTE);
    await send();
  }

  // A browser that keeps nothing (a private window, a full disk) is said to, before a person has been asked anything.
  function noStorage() {
    bar.classList.add("bad");
    document.getElementById("no-storage").hidden = false;
  }

  const kept = (async () => {
    await navigator.serviceWorker.register("/offline/worker.js", { scope: "/offline" });
    await navigator.serviceWorker.ready;
  })();

  return { begin, kept, pressed, send, show };
})();
