"use strict";
// Sorts a table by the column whose heading is pressed: ascending, descending, as it was.
const NUMBER = /^(?:\[|at most |at least |[<≤] ?)?([+−-]?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(e[+-]?\d+)?(?![\w.])/;
const MISSING = ["", "–"];

function numberOf(text, exact) {
  if (text.startsWith("exact")) return exact;
  const infinite = text.match(/^([+−-]?)∞/);
  if (infinite) return infinite[1] && infinite[1] !== "+" ? -Infinity : Infinity;
  const found = text.match(NUMBER);
  if (!found) return NaN;
  const size = Number(found[2].replaceAll(",", "") + (found[3] ?? ""));
  return found[1] && found[1] !== "+" ? -size : size;
}

function order(texts, exact) {
  const numbers = texts.map((text) => numberOf(text, exact));
  const numeric = texts.every((text, row) => MISSING.includes(text) || !Number.isNaN(numbers[row]));
  const compare = numeric
    ? (a, b) => (numbers[a] === numbers[b] ? 0 : numbers[a] < numbers[b] ? -1 : 1)
    : (a, b) => texts[a].localeCompare(texts[b], "en", { numeric: true });
  const rows = texts.map((_, row) => row);
  const missing = rows.filter((row) => MISSING.includes(texts[row]));
  return { known: rows.filter((row) => !missing.includes(row)), missing, compare };
}

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "" }[head.ariaSort] ?? "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (next) head.ariaSort = next;
      const texts = rows.map((row) => row.cells[column].textContent.trim());
      const { known, missing, compare } = order(texts, Number(table.dataset.exact ?? Infinity));
      if (next) known.sort((a, b) => (next === "ascending" ? compare(a, b) : compare(b, a)));
      const sorted = next ? [...known, ...missing] : rows.keys();
      body.append(...[...sorted].map((row) => rows[row]));
    });
  });
}
