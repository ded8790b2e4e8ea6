// Shows the count anew every ten seconds, for ten minutes after somebody asked for it. Then it stops, or a page
// that nobody watches would keep its session open for ever. How often is still to come stands behind "#".
const TIMES = 60;
const left = location.hash ? Number(location.hash.slice(1)) || 0 : TIMES;
if (left > 0) {
  setTimeout(() => {
    history.replaceState(null, "", `#${left - 1}`);
    location.reload();
  }, 10_000);
}
