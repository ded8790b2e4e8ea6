// Is there a network? A browser without one puts an error page in the form's place, and what was typed is
// lost by going back. So the site is asked for its icon first; if that doesn't come, the form stays and says so.
"use strict";

(function () {
  var form = document.getElementById("walk");
  var box = document.getElementById("offline");
  var pressed = null, asking = false, sent = false;

  document.addEventListener("click", function (event) {
    var button = event.target.closest("button");
    if (button && button.form === form) { pressed = button; }
  });

  // What is typed lives in this page alone: the browser's own way back would lose it, and asks first.
  function isTyped() {
    return [].some.call(form.querySelectorAll("input:not([type]), input[type=text], input[type=tel], input[type=email], textarea"), function (field) {
      return field.value.trim();
    });
  }
  addEventListener("beforeunload", function (event) {
    if (sent || !isTyped()) { return; }
    event.preventDefault();
    event.returnValue = ""; // for browsers that ask only so
  });

  form.addEventListener("submit", function (event) {
    event.preventDefault();
    if (asking) { return; } // a second tap
    asking = true;
    var button = event.submitter || pressed || form.querySelector("button");
    var icon = new Image(); // older than any other way to ask, and allowed by the page's policy
    var late = setTimeout(gone, 10000);
    icon.onload = function () {
      clearTimeout(late);
      var which = document.createElement("input");
      which.type = "hidden";
      which.name = button.name;
      which.value = button.value;
      form.appendChild(which);
      sent = true;
      form.submit();
    };
    icon.onerror = gone;
    icon.src = box.dataset.probe + "&" + Date.now();

    function gone() {
      clearTimeout(late);
      icon.onload = icon.onerror = null;
      asking = false;
      box.hidden = false;
      box.focus();
    }
  });
})();
