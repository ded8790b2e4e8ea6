// Keying in a page of a paper ledger with the keyboard alone: Enter goes to the same cell of the next row, which is made
// where there is none, and each answer is looked at as it is typed.
"use strict";

(() => {
  const form = document.getElementById("sheet");
  const table = form.querySelector("table");
  const rows = table.tBodies[0].rows;
  const more = document.getElementById("more");
  const cells = (within) => [...within.querySelectorAll("input, select")];

  // One more row like the last, empty.
  function add() {
    const last = rows[rows.length - 1], row = last.cloneNode(true), n = rows.length + 1;
    row.querySelector("th").textContent = n;
    for (const error of row.querySelectorAll(".error")) error.remove();
    for (const cell of cells(row)) {
      cell.id = cell.name = cell.name.replace(/^r\d+/, `r${n}`);
      cell.setAttribute("aria-label", cell.getAttribute("aria-label").replace(n - 1, n));
      for (const name of ["aria-invalid", "aria-describedby", "autofocus"]) cell.removeAttribute(name);
      cell.closest("td").classList.remove("wrong");
      if (cell.matches("select")) cell.selectedIndex = 0;
      else cell.value = "";
    }
    last.after(row);
    if (n >= Number(table.dataset.most)) more.hidden = true;
    return row;
  }

  const isFull = () => rows.length >= Number(table.dataset.most);

  function below(cell) {
    const row = cell.closest("tr");
    const next = row.nextElementSibling ?? (isFull() ? null : add());
    return next && cells(next)[cells(row).indexOf(cell)];
  }

  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.closest("tbody")) return;
    event.preventDefault();
    (below(event.target) ?? form.querySelector("button:not([name])")).focus();
  });

  if (more) {
    more.type = "button"; // so that Enter above the rows does not press it
    more.addEventListener("click", () => {
      const first = add();
      for (let n = 1; n < Number(table.dataset.more) && !isFull(); n += 1) add();
      cells(first)[0].focus();
    });
  }

  // Rows that are typed live in this page alone.
  let sent = false;
  addEventListener("submit", (event) => { sent = !event.defaultPrevented; });
  addEventListener("beforeunload", (event) => {
    if (!sent && cells(table.tBodies[0]).some((cell) => cell.value)) event.preventDefault();
  });

  form.addEventListener("change", (event) => {
    const cell = event.target;
    if (!cell.dataset.category) return;
    const typed = cell.value.trim();
    const slip = typed && !answers.isGood(cell.dataset.category, typed, form.dataset.today) ? cell.dataset.wrong : "";
    answers.afterPress(() => mark(cell, slip));
  });

  function mark(cell, slip) {
    const place = cell.closest("td");
    const line = slip && Object.assign(document.createElement("span"), { className: "error", textContent: slip });
    place.querySelector(".error")?.remove();
    place.classList.toggle("wrong", Boolean(slip));
    answers.tie(cell, line);
    if (line) place.append(line);
  }
})();
