"use strict";
const shown = (cell) => cell.childNodes[0]?.nodeType === 3 ? cell.childNodes[0].data : cell.textContent;
const by = (cell) => cell.dataset.by === undefined ? null : Number(cell.dataset.by);
function compare(a, b) {
  const [x, y] = [by(a), by(b)];
  if (x !== null && y !== null) return x - y;
  return shown(a).localeCompare(shown(b));
}
function sort(table, column, heading) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const known = (row) => shown(row.cells[column]) !== "";
  const rows = [...table.tBodies[0].rows];
  const full = rows.filter(known).sort((a, b) => (up ? 1 : -1) * compare(a.cells[column], b.cells[column]));
  table.tBodies[0].append(...full, ...rows.filter((row) => !known(row)));
}
function csv(table) {
  const quoted = (text) => {
    const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? "'" + text : text;
    return '"' + safe.replaceAll('"', '""') + '"';
  };
  const cell = (c) => c.dataset.by ?? shown(c);
  const lines = [...table.rows].map((row) => [...row.cells].map((c) => quoted(cell(c))).join(","));
  const link = document.createElement("a");
  link.href = "data:text/csv;charset=utf-8," + encodeURIComponent(lines.join("\r\n") + "\r\n");
  link.download = table.dataset.name + ".csv";
  link.click();
}
for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => sort(table, column, heading));
  });
  table.closest(".wide").nextElementSibling.querySelector(".csv").addEventListener("click", () => csv(table));
}
