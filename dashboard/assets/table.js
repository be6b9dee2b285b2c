// Tables that are wider than a phone scroll by themselves, and never the page.

import { h } from "./dom.js";

/** A table: its caption, its columns, and rows of cells. The first cell of a row names it. */
export function table(caption, columns, rows, options = {}) {
  const head = columns.map((column) =>
    h("th", { scope: "col", class: column.number ? "number" : null }, column.label ?? column),
  );
  const body = rows.map((cells) =>
    h(
      "tr",
      null,
      cells.map((cell, place) => {
        const properties = { class: columns[place]?.number ? "number" : null };
        return place === 0 ? h("th", { scope: "row", ...properties }, cell) : h("td", properties, cell);
      }),
    ),
  );
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption, "data-scroll": caption },
    h(
      "table",
      null,
      h("caption", { class: options.quiet ? "hidden" : null }, caption),
      h("thead", null, h("tr", null, head)),
      h("tbody", null, body),
    ),
  );
}

/** A state in a sign and a word. */
export function badge(state) {
  return h(
    "span",
    { class: `badge ${state.tone}` },
    h("span", { class: "sign", "aria-hidden": "true" }, state.sign),
    " ",
    state.label,
  );
}

/** Names and what they stand for. */
export function facts(...pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
  );
}

/** A section with its heading, which is a landmark by that. */
export function section(title, ...children) {
  const id = "section-" + title.toLowerCase().replace(/[^a-z]+/g, "-");
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

/** A list of links that is folded where it is long. */
export function folded(key, title, items, most = 12) {
  if (items.length === 0) return null;
  const list = h(
    "ul",
    { class: "inline" },
    items.map((item) => h("li", null, item)),
  );
  return items.length <= most ? list : h("details", { "data-key": key }, h("summary", null, title), list);
}
