// Bars, drawn here. Beside each plot its numbers stand in a table, for who does not see it.

import { h, s } from "./dom.js";
import { table } from "./table.js";

/** A plot of bars: `items` are `{label, value, words, href, title, tone}`. */
export function bars(title, items, options = {}) {
  const largest = Math.max(...items.map((item) => item.value), 1e-9);
  const drawing = options.lying ? lying(title, items, largest) : standing(title, items, largest);
  return h(
    "figure",
    { class: "plot" },
    h("figcaption", null, title),
    drawing,
    h(
      "details",
      { "data-key": `plot ${title}` },
      h("summary", null, "As a table"),
      table(
        title,
        ["What", "When and where", { label: "How much", number: true }],
        items.map((item) => [item.label, item.title, item.words]),
      ),
    ),
  );
}

const name = (item) => `${item.label}: ${item.words} (${item.title})`;

function standing(title, items, largest) {
  const [width, height, base, left] = [360, 150, 128, 4];
  const step = (width - left * 2) / Math.max(items.length, 8);
  const lines = [0.25, 0.5, 0.75, 1].map((part) =>
    s("line", { class: "grid", x1: 0, x2: width, y1: base - part * 110, y2: base - part * 110 }),
  );
  const drawn = items.map((item, place) => {
    const tall = Math.max(1.5, (item.value / largest) * 110);
    return s(
      "a",
      { href: item.href, "aria-label": name(item) },
      s("title", null, name(item)),
      s("rect", { class: "catch", x: left + place * step, y: 12, width: step, height: base - 12 }),
      s("rect", {
        class: item.tone,
        x: left + place * step + step * 0.12,
        y: base - tall,
        width: step * 0.76,
        height: tall,
        rx: 1.5,
      }),
    );
  });
  const top = items.find((item) => item.value === largest);
  return s(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title },
    lines,
    s("line", { class: "axis", x1: 0, x2: width, y1: base, y2: base }),
    drawn,
    s("text", { x: 2, y: 12 }, top ? top.words : ""),
    s("text", { x: left, y: height - 6 }, items[0]?.title ?? ""),
    items.length > 1 && s("text", { x: width - 2, y: height - 6, class: "end" }, items.at(-1).title),
  );
}

function lying(title, items, largest) {
  const [width, row] = [360, 26];
  const drawn = items.map((item, place) => {
    const y = place * row;
    return s(
      "a",
      { href: item.href, "aria-label": name(item) },
      s("title", null, name(item)),
      s("rect", { class: "catch", x: 0, y, width, height: row }),
      s("text", { x: 0, y: y + 11 }, item.label.length > 44 ? item.label.slice(0, 43) + "…" : item.label),
      s("text", { x: width, y: y + 11, class: "end" }, item.words),
      s("rect", {
        class: item.tone,
        x: 0,
        y: y + 15,
        width: Math.max(1.5, (item.value / largest) * width),
        height: 7,
        rx: 2,
      }),
    );
  });
  return s(
    "svg",
    { viewBox: `0 0 ${width} ${items.length * row}`, role: "group", "aria-label": title },
    drawn,
  );
}
