// The guests and how they stand.

import { h, link, path, throttled } from "./dom.js";
import { store } from "./store.js";
import { badge, section } from "./table.js";
import { OUTCOMES, PROGRESS, counted, duration, outcomeOf, runState, short, since } from "./words.js";

export async function draw({ room, signal, title }) {
  title("Fleet");
  const asked = new URLSearchParams(location.search);
  const chosen = new Set(asked.getAll("state").filter((state) => OUTCOMES[state]));
  const search = h("input", {
    type: "search",
    id: "name",
    value: asked.get("name") ?? "",
    autocomplete: "off",
    spellcheck: "false",
    "aria-keyshortcuts": "/",
    placeholder: "name, platform or cause",
  });
  const chips = h("div", { class: "chips", role: "group", "aria-label": "States" });
  const shown = h("p", { class: "quiet", role: "status" });
  const grid = h("ul", { class: "matrix" });
  const now = h("div", { class: "now" });
  const cells = new Map();
  room.append(
    h("h1", null, "Fleet"),
    now,
    section(
      "Guests",
      h("div", { class: "filter" }, h("label", { for: "name" }, "Filter ", h("kbd", null, "/")), search),
      chips,
      shown,
      grid,
    ),
  );

  const matches = (name, cell) => {
    if (chosen.size > 0 && !chosen.has(outcomeOf(cell))) return false;
    const words = search.value.trim().toLowerCase();
    return (
      words === "" ||
      [name, cell.platform, cell.cause ?? ""].some((text) => text.toLowerCase().includes(words))
    );
  };

  function fill(name, cell) {
    let item = cells.get(name);
    if (!item) {
      item = {
        node: h("li"),
        link: h("a", { href: path("guests", name) }),
        sign: h("span", { class: "sign", "aria-hidden": "true" }),
        state: h("span", { class: "state" }),
      };
      item.link.append(item.sign, h("span", { class: "name" }, name), item.state);
      item.node.append(item.link);
      cells.set(name, item);
    }
    const state = OUTCOMES[outcomeOf(cell)];
    item.link.className = `cell ${state.tone}`;
    item.link.dataset.outcome = outcomeOf(cell);
    item.sign.textContent = state.sign;
    item.state.textContent = cell.cause ? `${state.label}: ${cell.cause}` : state.label;
    item.node.hidden = !matches(name, cell);
    return item.node;
  }

  function filter() {
    let count = 0;
    for (const [name, cell] of store.guests) {
      const fits = matches(name, cell);
      const node = cells.get(name)?.node;
      if (node) node.hidden = !fits;
      if (fits) count += 1;
    }
    const all = store.guests.size;
    shown.textContent =
      count === all ? counted(all, "guest") : `${count.toLocaleString("en")} of ${counted(all, "guest")}`;
    const address = new URLSearchParams();
    for (const state of chosen) address.append("state", state);
    if (search.value) address.set("name", search.value);
    const text = String(address);
    if (location.pathname === "/") history.replaceState(null, "", text ? `/?${text}` : "/");
  }

  function count() {
    const counts = new Map();
    for (const cell of store.guests.values())
      counts.set(outcomeOf(cell), (counts.get(outcomeOf(cell)) ?? 0) + 1);
    for (const [name, state] of Object.entries(OUTCOMES)) {
      let chip = chips.querySelector(`[data-state=${name}]`);
      const number = counts.get(name) ?? 0;
      if (number === 0 && !chosen.has(name)) {
        chip?.remove();
        continue;
      }
      if (!chip) {
        chip = h(
          "button",
          {
            type: "button",
            class: `chip ${state.tone}`,
            "data-state": name,
            "aria-pressed": String(chosen.has(name)),
            onclick: () => {
              if (!chosen.delete(name)) chosen.add(name);
              chip.setAttribute("aria-pressed", String(chosen.has(name)));
              filter();
            },
          },
          h("span", { class: "sign", "aria-hidden": "true" }, state.sign),
          " ",
          state.label,
          " ",
          h("b"),
        );
        const later = Object.keys(OUTCOMES).slice(Object.keys(OUTCOMES).indexOf(name) + 1);
        chips.insertBefore(chip, [...chips.children].find((it) => later.includes(it.dataset.state)) ?? null);
      }
      chip.querySelector("b").textContent = number.toLocaleString("en");
    }
  }

  function all() {
    cells.clear();
    grid.replaceChildren(...[...store.guests].map(([name, cell]) => fill(name, cell)));
    count();
    filter();
    head();
  }

  function head() {
    const going = [...store.runs].filter(([, run]) => !run.finished_at);
    const newest = store.newest();
    const runs = going.length > 0 ? going : newest ? [newest] : [];
    now.replaceChildren(
      ...(runs.length > 0
        ? runs.map(([id, run]) => runLine(id, run))
        : [
            h(
              "p",
              null,
              "There was no run yet. ",
              h("code", null, "gentoo-updater run"),
              " starts one; it is shown here as it goes on.",
            ),
          ]),
    );
    if (store.left_out > 0) {
      now.append(
        h(
          "p",
          { class: "warning" },
          `${counted(store.left_out, "event")} of the history left out: what a newer version wrote needs that version here, too.`,
        ),
      );
    }
  }

  const counting = throttled(200, () => {
    count();
    filter();
    head();
  });
  store.addEventListener(
    "change",
    ({ detail }) => {
      for (const [name, cell] of Object.entries(detail.guests ?? {})) {
        const known = cells.has(name);
        const node = fill(name, cell);
        if (!known) grid.append(node);
      }
      for (const name of detail.gone ?? []) {
        cells.get(name)?.node.remove();
        cells.delete(name);
      }
      if (detail.guests || detail.runs || detail.gone) counting();
    },
    { signal },
  );
  store.addEventListener("reload", all, { signal });
  search.addEventListener("input", filter);
  const clock = setInterval(head, 10000);
  signal.addEventListener("abort", () => clearInterval(clock));
  all();
}

/** How far a run is, in a line with a bar. */
export function runLine(id, run) {
  const state = runState(run);
  const jobs = Object.values(run.jobs).reduce((sum, number) => sum + number, 0);
  const time = run.finished_at
    ? `after ${duration(Date.parse(run.finished_at) - Date.parse(run.started_at))}`
    : `for ${since(run.started_at)}`;
  return h(
    "article",
    { class: "run" },
    h(
      "p",
      null,
      link(path("runs", id), run.kind === "ScanOnly" ? "Scan " : "Run ", short(id)),
      " ",
      badge(state),
      " ",
      h("span", { class: "quiet" }, time),
    ),
    jobs > 0 && bar("Jobs", PROGRESS, run.jobs, jobs),
    bar(
      "Guests",
      OUTCOMES,
      run.guests,
      Object.values(run.guests).reduce((sum, number) => sum + number, 0),
    ),
  );
}

function bar(name, states, counts, all) {
  const parts = Object.entries(states).filter(([state]) => counts[state] > 0);
  const words = parts.map(([state, it]) => `${counts[state].toLocaleString("en")} ${it.label}`).join(", ");
  const track = h(
    "span",
    { class: "bar", "aria-hidden": "true" },
    parts.map(([state, it]) => {
      const part = h("span", { class: it.tone });
      part.style.flexGrow = counts[state] / all;
      return part;
    }),
  );
  return h(
    "p",
    { class: "progress" },
    h("span", { class: "what" }, name),
    track,
    h("span", { class: "words" }, words),
  );
}
