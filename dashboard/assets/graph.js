// The batch as a graph in layers. What is left of a job comes before it. A few hundred jobs are drawn with
// their names and lines; more are drawn as squares, with the lines of the one that is chosen.

import { h, link, path, s } from "./dom.js";
import { PROGRESS, counted, duration, packageOf } from "./words.js";

/** Up to so many jobs have names and lines. */
const NAMED = 150;
const [WIDE, TALL, GAP_X, GAP_Y] = [176, 24, 44, 8];
const [CELL, PITCH, ROWS] = [9, 11, 24];
/** How often the order within the layers is made better. */
const SWEEPS = 6;

/** The graph of a document, with `update` for what moves. */
export function graph(document) {
  const jobs = document.jobs.map((job) => ({ ...job }));
  const releases = jobs.map(() => []);
  jobs.forEach((job, place) => job.needs.forEach((need) => releases[need]?.push(place)));
  const critical = new Set(document.critical);
  const layers = inLayers(jobs, releases, document.layers);
  const view = { run: document.run, jobs, releases, critical, layers, nodes: [], chosen: null };
  const drawing = jobs.length <= NAMED ? named(view) : squares(view);
  const legend = h("p", { class: "legend" });
  const details = h("div", { class: "details", role: "status", "aria-live": "polite" });
  const field = h("input", {
    type: "search",
    id: "job",
    placeholder: "package",
    autocomplete: "off",
    spellcheck: "false",
  });
  const search = h(
    "div",
    { class: "filter" },
    h("label", { for: "job" }, "Find a job ", h("kbd", null, "/")),
    field,
  );
  const node = h(
    "div",
    { class: "graph" },
    legend,
    search,
    h(
      "div",
      {
        class: "scroll",
        role: "application",
        "aria-roledescription": "graph",
        "aria-label": "The jobs in layers; the arrow keys go along what they need",
        "data-scroll": "graph",
      },
      drawing,
    ),
    details,
  );

  const choose = (place, focus) => {
    view.chosen = place;
    view.nodes.forEach((it, own) => it.setAttribute("tabindex", own === place ? "0" : "-1"));
    mark(view);
    details.replaceChildren(...about(view, place));
    if (focus) {
      view.nodes[place].focus();
      view.nodes[place].scrollIntoView?.({ block: "nearest", inline: "nearest" });
    }
  };
  view.nodes.forEach((it, place) => {
    it.addEventListener("focus", () => view.chosen !== place && choose(place, false));
    it.addEventListener("mouseenter", () => {
      if (!node.contains(document_active()) || view.chosen === null) choose(place, false);
    });
    it.addEventListener("click", (event) => {
      if (jobs.length <= NAMED) return;
      // A square is small: the first press chooses, and the details have the link.
      event.preventDefault();
      event.stopPropagation();
      choose(place, true);
    });
  });
  drawing.addEventListener("keydown", (event) => {
    const next = beside(view, event.key);
    if (next === undefined) return;
    event.preventDefault();
    choose(next, true);
  });
  field.addEventListener("input", () => {
    const words = field.value.trim().toLowerCase();
    const found =
      words === ""
        ? -1
        : jobs.findIndex((job) => job.cpv.toLowerCase().includes(words) || job.job.startsWith(words));
    if (found >= 0) {
      choose(found, false);
      view.nodes[found].scrollIntoView?.({ block: "nearest", inline: "nearest" });
    }
  });

  const count = () => {
    const counts = {};
    for (const job of jobs) counts[job.progress.state] = (counts[job.progress.state] ?? 0) + 1;
    legend.replaceChildren(
      ...Object.entries(PROGRESS)
        .filter(([state]) => counts[state])
        .map(([state, it]) =>
          h(
            "span",
            { class: `badge ${it.tone}` },
            h("span", { class: "sign", "aria-hidden": "true" }, it.sign),
            ` ${counts[state].toLocaleString("en")} ${it.label}`,
          ),
        ),
    );
  };
  let counting = 0;
  const update = (place, progress) => {
    if (!jobs[place]) return;
    jobs[place].progress = progress;
    colour(view, place);
    if (view.chosen === place) details.replaceChildren(...about(view, place));
    counting ||= requestAnimationFrame(() => {
      counting = 0;
      count();
    });
  };
  jobs.forEach((_, place) => colour(view, place));
  count();
  if (jobs.length > 0) choose(firstOfInterest(jobs), false);
  return { node, update };
}

const document_active = () => document.activeElement;

/** What somebody looks for first: what failed, or what is built now. */
function firstOfInterest(jobs) {
  for (const state of ["failed", "claimed", "ready"]) {
    const place = jobs.findIndex((job) => job.progress.state === state);
    if (place >= 0) return place;
  }
  return 0;
}

/** The places of each layer, in an order in which lines are short: each near the middle of its neighbours. */
function inLayers(jobs, releases, count) {
  const layers = Array.from({ length: count }, () => []);
  jobs.forEach((job, place) => layers[job.layer].push(place));
  for (const layer of layers) layer.sort((a, b) => (jobs[a].cpv < jobs[b].cpv ? -1 : 1));
  const order = new Array(jobs.length).fill(0);
  const number = (layer) =>
    layer.forEach((place, row) => (order[place] = row / Math.max(1, layer.length - 1)));
  layers.forEach(number);
  const middle = (places, own) =>
    places.length === 0 ? own : places.reduce((sum, place) => sum + order[place], 0) / places.length;
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      const wanted = new Map(
        layer.map((place) => [place, middle(down ? jobs[place].needs : releases[place], order[place])]),
      );
      layer.sort((a, b) => wanted.get(a) - wanted.get(b));
      number(layer);
    }
  }
  return layers;
}

function named(view) {
  const { jobs, layers } = view;
  const rows = Math.max(...layers.map((layer) => layer.length));
  const height = rows * (TALL + GAP_Y) + GAP_Y;
  view.at = [];
  layers.forEach((layer, column) => {
    const top = (height - layer.length * (TALL + GAP_Y) + GAP_Y) / 2;
    layer.forEach(
      (place, row) => (view.at[place] = [column * (WIDE + GAP_X) + 8, top + row * (TALL + GAP_Y)]),
    );
  });
  view.lines = [];
  jobs.forEach((job, place) =>
    job.needs.forEach((need) => view.lines.push({ need, place, node: line(view, need, place) })),
  );
  view.nodes = jobs.map((job, place) => {
    const [x, y] = view.at[place];
    const text = job.cpv.split("/").pop();
    return s(
      "a",
      { href: path("runs", view.run, "jobs", job.job), class: "job" },
      s("title", null, job.cpv),
      s("rect", { x, y, width: WIDE, height: TALL, rx: 5 }),
      s("text", { x: x + 8, y: y + 16, class: "sign" }),
      s("text", { x: x + 24, y: y + 16 }, text.length > 22 ? text.slice(0, 21) + "…" : text),
    );
  });
  const width = layers.length * (WIDE + GAP_X) - GAP_X + 16;
  return s(
    "svg",
    { class: "named", width, height, viewBox: `0 0 ${width} ${height}` },
    view.lines.map((it) => it.node),
    view.nodes,
  );
}

function line(view, need, place) {
  const [[x1, y1], [x2, y2]] = [view.at[need], view.at[place]];
  const [from, to] = [x1 + WIDE, y1 + TALL / 2];
  const end = y2 + TALL / 2;
  const bend = Math.max(20, (x2 - from) / 2);
  return s("path", {
    class: "line",
    d: `M${from} ${to}C${from + bend} ${to} ${x2 - bend} ${end} ${x2} ${end}`,
  });
}

function squares(view) {
  const { jobs, layers } = view;
  view.at = [];
  let x = 4;
  const titles = [];
  layers.forEach((layer, number) => {
    titles.push(s("text", { x, y: 12 }, String(number + 1)));
    layer.forEach(
      (place, row) => (view.at[place] = [x + Math.floor(row / ROWS) * PITCH, 20 + (row % ROWS) * PITCH]),
    );
    x += Math.max(Math.ceil(layer.length / ROWS) * PITCH, 14) + 8;
  });
  view.nodes = jobs.map((job, place) => {
    const [left, top] = view.at[place];
    return s("rect", { class: "job", x: left, y: top, width: CELL, height: CELL, rx: 1.5, role: "img" });
  });
  view.over = s("g", { class: "over", "aria-hidden": "true" });
  const height = 24 + ROWS * PITCH;
  return s(
    "svg",
    { class: "squares", width: x, height, viewBox: `0 0 ${x} ${height}` },
    titles,
    view.nodes,
    view.over,
  );
}

function colour(view, place) {
  const job = view.jobs[place];
  const state = PROGRESS[job.progress.state];
  const node = view.nodes[place];
  node.setAttribute(
    "class",
    `job ${state.tone}${view.critical.has(place) ? " critical" : ""}${view.chosen === place ? " chosen" : ""}`,
  );
  node.dataset.state = job.progress.state;
  node.setAttribute("aria-label", `${job.cpv}: ${state.label}`);
  const sign = node.querySelector?.("text.sign");
  if (sign) sign.textContent = state.sign;
}

/** Marks what the chosen job needs, and what needs it. */
function mark(view) {
  const { chosen } = view;
  view.nodes.forEach((node, place) => node.classList.toggle("chosen", place === chosen));
  if (view.lines) {
    for (const { need, place, node } of view.lines)
      node.setAttribute("class", need === chosen || place === chosen ? "line marked" : "line");
    return;
  }
  const centre = (place) => view.at[place].map((it) => it + CELL / 2);
  const [x, y] = centre(chosen);
  const to = [...view.jobs[chosen].needs, ...view.releases[chosen]].slice(0, 400);
  view.over.replaceChildren(
    ...to.map((place) => {
      const [x2, y2] = centre(place);
      return s("path", { class: "line marked", d: `M${x} ${y}L${x2} ${y2}` });
    }),
  );
}

function beside(view, key) {
  const { chosen, jobs, releases, layers } = view;
  if (chosen === null) return undefined;
  const layer = layers[jobs[chosen].layer];
  const row = layer.indexOf(chosen);
  const near = (places) =>
    [...places].sort(
      (a, b) => Math.abs(view.at[a][1] - view.at[chosen][1]) - Math.abs(view.at[b][1] - view.at[chosen][1]),
    )[0];
  if (key === "ArrowUp") return layer[row - 1];
  if (key === "ArrowDown") return layer[row + 1];
  if (key === "ArrowLeft") return near(jobs[chosen].needs);
  if (key === "ArrowRight") return near(releases[chosen]);
  if (key === "Home") return layers[0]?.[0];
  if (key === "End") return layers.at(-1)?.[0];
  return undefined;
}

/** All that is known of a job here; the rest is on its page. */
function about(view, place) {
  const job = view.jobs[place];
  const { progress } = job;
  const state = PROGRESS[progress.state];
  const names = (places) =>
    places
      .slice(0, 8)
      .map((it, index) => [index > 0 && ", ", view.jobs[it].cpv])
      .flat();
  const more = (places) => (places.length > 8 ? ` and ${places.length - 8} more` : "");
  const needs = job.needs;
  const released = view.releases[place];
  return [
    h(
      "p",
      null,
      h("b", null, link(path("runs", view.run, "jobs", job.job), job.cpv)),
      " ",
      h(
        "span",
        { class: `badge ${state.tone}` },
        h("span", { class: "sign", "aria-hidden": "true" }, state.sign),
        ` ${state.label}`,
      ),
      progress.by && progress.state === "claimed" ? ` by ${progress.by}` : "",
      progress.on ? ` on ${progress.on}${progress.reused ? ", was there already" : ""}` : "",
      progress.cause ? `: ${progress.cause}` : "",
      ` · ${duration(job.duration_ms)}${job.guessed ? " (a guess)" : ""} · for ${job.wanted_by > 0 ? counted(job.wanted_by, "guest") : "other builds only"}${view.critical.has(place) ? " · on the longest chain" : ""}`,
    ),
    h(
      "p",
      { class: "quiet" },
      needs.length > 0 ? ["Needs ", names(needs), more(needs)].flat() : "Needs nothing of this batch",
      ". ",
      released.length > 0 ? ["Needed by ", names(released), more(released)].flat() : "Nothing needs it",
      ". ",
      link(path("packages", packageOf(job.cpv)), "The package"),
    ),
  ];
}
