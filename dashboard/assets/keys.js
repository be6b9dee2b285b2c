// The keyboard, and the theme.

import { h, path } from "./dom.js";
import { store } from "./store.js";

const GO = {
  f: ["Fleet", () => "/"],
  r: ["Runs", () => "/runs"],
  n: ["The newest run", () => (store.newest() ? path("runs", store.newest()[0]) : "/runs")],
  b: ["Builders", () => "/builders"],
  q: ["Queues", () => "/queues"],
  d: ["Dead letters", () => "/dead"],
};

const THEMES = { system: ["◐", "as the system has it"], light: ["☀", "light"], dark: ["☾", "dark"] };

function nextTheme(button) {
  const root = document.documentElement;
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(root.dataset.theme ?? "system") + 1) % names.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // It lasts as long as the page.
  }
  drawTheme(button);
}

function drawTheme(button) {
  const [sign, words] = THEMES[document.documentElement.dataset.theme ?? "system"];
  button.textContent = sign;
  button.setAttribute("aria-label", `Theme: ${words}`);
}

/** Shows what the keys do. */
function help() {
  const key = (...keys) => keys.map((one) => [h("kbd", null, one), " "]);
  const rows = [
    ...Object.entries(GO).map(([letter, [title]]) => [key("g", letter), title]),
    [key("/"), "The filter of the page"],
    [key("←", "→", "↑", "↓"), "In the graph: what a job needs, what needs it, its neighbours"],
    [key("t"), "Theme: system, light, dark"],
    [key("?"), "This list"],
    [key("Esc"), "Closes a window"],
  ];
  const dialog = h(
    "dialog",
    { "aria-labelledby": "keys" },
    h("h2", { id: "keys" }, "Keyboard shortcuts"),
    h(
      "table",
      { class: "keys" },
      h("caption", { class: "hidden" }, "Keys and what they do"),
      h(
        "tbody",
        null,
        rows.map(([keys, words]) => h("tr", null, h("th", { scope: "row" }, keys), h("td", null, words))),
      ),
    ),
    h("form", { method: "dialog" }, h("p", { class: "buttons" }, h("button", { class: "main" }, "Close"))),
  );
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Listens to the keys. `go` shows the page of an address. */
export function begin(go) {
  const theme = document.getElementById("theme");
  drawTheme(theme);
  theme.addEventListener("click", () => nextTheme(theme));
  document.getElementById("help").addEventListener("click", help);
  let waits = 0;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (Date.now() < waits && GO[event.key]) {
      waits = 0;
      go(GO[event.key][1]());
    } else if (event.key === "g") {
      waits = Date.now() + 1500;
      return;
    } else if (event.key === "?") {
      help();
    } else if (event.key === "t") {
      nextTheme(theme);
    } else if (event.key === "/") {
      const field = document.querySelector("main input[type=search]");
      if (!field) return;
      field.focus();
    } else {
      return;
    }
    waits = 0;
    event.preventDefault();
  });
}
