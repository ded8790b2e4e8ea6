// What a receipt's pages gain from a script. A browser never sends what stands behind "#", so a scanned code
// is in no server's log; this sends it in the body of the form. And a page under /r that answered a form becomes
// one that asks for the code when it is come back to: so the next person at this computer sees nothing. It does so
// only once the site is reached: without a network the page with the code stays, and says so.
"use strict";

(function () {
  var field = document.querySelector("form[action='/r'] input[name=code], form[action^='/r?'] input[name=code]");
  var leave = document.getElementById("leave");
  var box = document.getElementById("no-network");
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

  // Calls one of both; the site's icon is older than any other way to ask, and allowed by the page's policy.
  function reach(there, gone) {
    var icon = new Image();
    var over = function (next) {
      clearTimeout(late);
      icon.onload = icon.onerror = null;
      next();
    };
    var late = setTimeout(over, 10000, gone);
    icon.onload = function () { over(there); };
    icon.onerror = function () { over(gone); };
    icon.src = box.dataset.probe + "&" + Date.now();
  }

  if (!look() && /^\/r(\/|$)/.test(location.pathname)) { forget(); }
  addEventListener("hashchange", look);
  if (leave) { leave.addEventListener("click", forget); }
  var pressed = null; // for browsers that don't tell
  document.addEventListener("click", function (event) { pressed = event.target.closest("button"); });
  document.addEventListener("submit", function (event) { // from the new receipt to my data, and on from there
    var form = event.target, action = form.getAttribute("action");
    if (!box || form.id === "walk" || !/^\/r(\/|\?|$)/.test(action)) { return; }
    event.preventDefault();
    if (form.asking) { return; } // a second press while the first is under way
    form.asking = true;
    reach(function () {
      var button = event.submitter || pressed;
      if (button && button.form === form && button.name) {
        var which = document.createElement("input");
        which.type = "hidden";
        which.name = button.name;
        which.value = button.value;
        form.appendChild(which);
      }
      box.hidden = true;
      if (/^\/r(\?|$)/.test(action)) { forget(); }
      form.submit();
      setTimeout(function () { form.asking = false; }, /^\/r\/withdraw/.test(action) ? 20000 : 1000);
    }, function () {
      form.asking = false;
      box.hidden = false;
      box.focus();
    });
  });
})();
