// What a receipt's pages gain from a script. A browser never sends what stands behind "#", so a scanned code
// is in no server's log; this sends it in the body of the form. And a page under /r that answered a form becomes
// one that asks for the code when it is come back to: so the next person at this computer sees nothing.
"use strict";

(function () {
  var field = document.querySelector("form[action='/r'] input[name=code], form[action^='/r?'] input[name=code]");
  var leave = document.getElementById("leave");
  var forget = function () { history.replaceState(null, "", "/r" + location.search); };

  // A code that is scanned while such a page is open changes nothing but what stands behind "#".
  function look() {
    var scanned = location.hash.slice(1);
    if (!field || !/^[0-9A-Za-z-]{30,40}$/.test(scanned)) { return false; }
    forget();
    field.value = scanned;
    field.form.submit();
    return true;
  }

  if (!look() && /^\/r(\/|$)/.test(location.pathname)) { forget(); }
  addEventListener("hashchange", look);
  if (leave) { leave.addEventListener("click", forget); }
  var withdrawn = false; // a second press while the first is under way
  document.addEventListener("submit", function (event) { // from the new receipt to my data
    if (/^\/r\/withdraw(\?|$)/.test(event.target.getAttribute("action")) && event.target.elements.sure) {
      if (withdrawn) { event.preventDefault(); }
      withdrawn = true;
      setTimeout(function () { withdrawn = false; }, 20000);
    }
    if (/^\/r(\?|$)/.test(event.target.getAttribute("action"))) { forget(); }
  });
})();
