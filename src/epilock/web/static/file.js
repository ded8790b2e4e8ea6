// A file that is larger than is taken is named beside its field, when it is chosen and before anything is sent: so
// nothing that was typed is lost.
"use strict";

(() => {
  const FIELDS = "input[type=file][data-most]";

  // Whether what is chosen may be sent.
  function isGood(field) {
    const bad = [...field.files].some((file) => file.size > Number(field.dataset.most));
    const place = field.closest(".field"), id = `${field.id}-wrong`;
    const hints = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
    place.querySelector(".error")?.remove();
    place.classList.toggle("wrong", bad);
    field.setAttribute("aria-invalid", String(bad));
    if (bad) {
      field.before(Object.assign(document.createElement("p"), { className: "error", id, role: "alert", textContent: field.dataset.wrong }));
      hints.push(id);
    }
    field.setAttribute("aria-describedby", hints.join(" "));
    return !bad;
  }

  for (const field of document.querySelectorAll(FIELDS)) field.addEventListener("change", () => isGood(field));
  document.addEventListener("submit", (event) => {
    const bad = [...event.target.querySelectorAll(FIELDS)].find((field) => !isGood(field));
    if (!bad) return;
    event.preventDefault();
    bad.focus();
  });
})();
