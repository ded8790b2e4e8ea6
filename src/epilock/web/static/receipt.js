// What a receipt's pages gain from a script. A browser never sends what stands behind "#", so a scanned code
// is in no server's log; this sends it in the body of the form. And a page that a form was answered with becomes
// one that "back" and "reload" only ask for the code: what the next person at this computer gets to see.
"use strict";

(function () {
  var scanned = decodeURIComponent(location.hash.slice(1));
  var field = document.getElementById("code");
  var leave = document.getElementById("leave");
  var forget = function (address) { history.replaceState(null, "", address); };

  if (field && field.form && /^[0-9A-Za-z-]{30,40}$/.test(scanned)) {
    forget(location.pathname + location.search);
    field.value = scanned;
    field.form.submit();
  } else if (leave && leave.dataset.ask) {
    forget(leave.dataset.ask);
  }
  if (leave) {
    leave.addEventListener("click", function () { forget(leave.href); });
  }
})();
