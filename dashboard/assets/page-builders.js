// Builders with their slots and logs, and all other workers.

import { h, link, path, show, throttled } from "./dom.js";
import { reason } from "./failure.js";
import { log } from "./log.js";
import { get, store } from "./store.js";
import { badge, section, table } from "./table.js";
import { duration, moment, short, since } from "./words.js";

const STATES = {
  busy: { label: "busy", sign: "▶", tone: "work" },
  idle: { label: "idle", sign: "·", tone: "good" },
  paused: { label: "paused", sign: "⏸", tone: "warn" },
  silent: { label: "silent", sign: "✕", tone: "bad" },
};

export async function draw({ room, signal, title }) {
  title("Builders");
  const machines = h("div");
  const body = h("div");
  room.append(h("h1", null, "Builders"), machines, body);
  // Logs that are open, by the build: they go on while everything around them is drawn anew.
  const logs = new Map();
  const refresh = async () => {
    const document = await get("/api/builds", signal);
    drawMachines(machines, document, logs, signal);
    show(body, workers(document));
  };
  const again = throttled(1000, () => refresh().catch(() => {}));
  store.addEventListener("change", again, { signal });
  store.addEventListener("reload", again, { signal });
  const clock = setInterval(again, 5000);
  signal.addEventListener("abort", () => clearInterval(clock));
  await refresh();
}

function drawMachines(room, document, logs, signal) {
  const names = [
    ...new Set([
      ...Object.keys(document.slots),
      ...Object.keys(document.builds),
      ...Object.keys(document.unusable),
    ]),
  ].sort();
  const open = new Set();
  const articles = names.map((name) => {
    const builds = document.builds[name] ?? [];
    const slots = document.slots[name];
    const unfit = document.unusable[name];
    const items = builds.map((build) => {
      const key = `${build.run} ${build.job} ${build.attempt}`;
      open.add(key);
      return { key, build };
    });
    const free = Math.max(0, (slots ?? builds.length) - builds.length);
    return {
      name,
      items,
      node: h(
        "article",
        { class: "builder", "data-builder": name },
        h(
          "h2",
          null,
          name,
          " ",
          h("span", { class: "quiet" }, slots ? `${builds.length} of ${slots} slots` : ""),
        ),
        unfit &&
          h(
            "div",
            { class: "failure" },
            h("p", null, h("b", null, "Gets no work.")),
            reason(unfit, `unfit ${name}`),
          ),
        h("ul", { class: "slots" }),
        free > 0 && h("p", { class: "quiet" }, free === 1 ? "One slot is free." : `${free} slots are free.`),
      ),
    };
  });
  for (const [key, held] of logs) {
    if (!open.has(key)) {
      held.stop.abort();
      logs.delete(key);
    }
  }
  for (const { items, node } of articles) {
    const list = node.querySelector("ul");
    for (const { key, build } of items) list.append(slot(key, build, logs, signal));
  }
  if (names.length === 0) articles.push({ node: h("p", null, "No builder has come up yet.") });
  // Only what differs is put in place, so that an open log keeps its place and the focus.
  const next = articles.map(({ node }) => node);
  const before = [...room.children];
  next.forEach((node, place) => {
    const old = before[place];
    if (!old) room.append(node);
    else if (!same(old, node)) old.replaceWith(node);
  });
  before.slice(next.length).forEach((old) => old.remove());
}

const skeleton = (node) => {
  const copy = node.cloneNode(true);
  copy.querySelectorAll(".log-of").forEach((it) => it.remove());
  copy.querySelectorAll("details").forEach((it) => it.removeAttribute("open"));
  copy.querySelectorAll("time").forEach((it) => (it.textContent = ""));
  return copy;
};

function same(old, node) {
  if (!skeleton(old).isEqualNode(skeleton(node))) return false;
  const times = node.querySelectorAll("time");
  old.querySelectorAll("time").forEach((it, place) => (it.textContent = times[place].textContent));
  return true;
}

function slot(key, build, logs, signal) {
  const details = h("details", { "data-key": key, class: "slot-log" }, h("summary", null, "Log"));
  const attach = () => {
    let held = logs.get(key);
    if (!held) {
      const stop = new AbortController();
      signal.addEventListener("abort", () => stop.abort());
      held = { stop, node: log(build.run, build.job, build.attempt, stop.signal) };
      logs.set(key, held);
    }
    details.append(held.node);
  };
  if (logs.has(key)) {
    details.open = true;
    attach();
  }
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector(".log-of")) attach();
    if (!details.open && logs.has(key) && details.querySelector(".log-of")) {
      logs.get(key).stop.abort();
      logs.get(key).node.remove();
      logs.delete(key);
    }
  });
  const expected = build.expected_ms !== null && ` of about ${duration(build.expected_ms)}`;
  return h(
    "li",
    null,
    h(
      "p",
      null,
      h("span", { class: "sign work", "aria-hidden": "true" }, "▶"),
      " ",
      link(path("runs", build.run, "jobs", build.job), build.cpv),
      " ",
      h(
        "span",
        { class: "quiet" },
        "for ",
        h("time", { datetime: build.since }, since(build.since)),
        expected,
        build.attempt > 1 && `, attempt ${build.attempt}`,
        " · run ",
        link(path("runs", build.run), short(build.run)),
      ),
    ),
    details,
  );
}

function workers(document) {
  const cause = (it) =>
    it.why === "operator"
      ? `${it.by} wants it so since ${moment(it.since)}${it.reason ? `: ${it.reason}` : ""}`
      : `${it.cause}: ${it.message}`;
  const task = (it) => (it.task.subject ? `${it.task.kind} ${it.task.subject}` : it.task.kind);
  return section(
    "Workers",
    document.workers.length === 0
      ? h("p", null, "No worker has ever come up.")
      : table(
          "Workers",
          ["Worker", "State", "Role", "Works on", "Why it takes no work", "Last sign of life"],
          document.workers.map((it) => [
            it.worker,
            badge(STATES[it.state]),
            it.role,
            it.working_on.map(task).join(", ") || "–",
            [...it.paused.map(cause), it.bus_trouble].filter(Boolean).join("; ") || "–",
            it.last_seen ? moment(it.last_seen) : "–",
          ]),
          { quiet: true },
        ),
  );
}
