// Keying in a page of a paper ledger with the keyboard alone: Enter goes to the same cell of the next row, and each
// answer is looked at as it is typed.
"use strict";

(() => {
  const form = document.getElementById("sheet");
  const cells = (row) => [...row.querySelectorAll("input, select")];

  function below(cell) {
    const row = cell.closest("tr");
    return row.nextElementSibling && cells(row.nextElementSibling)[cells(row).indexOf(cell)];
  }

  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.closest("tbody")) return;
    event.preventDefault();
    (below(event.target) ?? form.querySelector("button")).focus();
  });

  form.addEventListener("change", (event) => {
    const cell = event.target;
    if (!cell.dataset.category) return;
    const typed = cell.value.trim();
    const slip = typed && !answers.isGood(cell.dataset.category, typed, form.dataset.today) ? cell.dataset.wrong : "";
    const place = cell.closest("td");
    place.querySelector(".error")?.remove();
    place.classList.toggle("wrong", Boolean(slip));
    cell.setAttribute("aria-invalid", String(Boolean(slip)));
    if (slip) place.append(Object.assign(document.createElement("span"), { className: "error", textContent: slip }));
  });
})();
