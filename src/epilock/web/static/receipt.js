// Fills in the code of a receipt that was scanned. A browser never sends what stands behind "#", so the
// code is in no server's log; this takes it from there into the field and out of the address.
const code = decodeURIComponent(location.hash.slice(1));
const field = document.getElementById("code");
if (field && /^[0-9A-Za-z-]{30,40}$/.test(code)) {
  field.value = code;
  history.replaceState(null, "", location.pathname + location.search);
}
