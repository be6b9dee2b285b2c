// One job of a run, with the logs of its builds.

import { h, link, path, show, throttled } from "./dom.js";
import { failure, reason } from "./failure.js";
import { log } from "./log.js";
import { get, store } from "./store.js";
import { badge, facts, folded, section, table } from "./table.js";
import { PROGRESS, duration, moment, short, since, size } from "./words.js";

export async function draw({ room, parts: [run, id], signal, title }) {
  const head = h("div");
  const logs = h("div");
  const body = h("div");
  const address = path("api/runs", run, "jobs", id);
  let job = await get(address, signal);
  title(job.cpv);
  room.append(h("h1", null, job.cpv), head, logs, body);
  let reading = null;
  const read = (attempt) => {
    reading?.abort();
    reading = new AbortController();
    signal.addEventListener("abort", () => reading.abort());
    logs.replaceChildren(
      section(
        "Log",
        job.attempts.filter((it) => it.worker).length > 1 &&
          h(
            "p",
            { class: "chips", role: "group", "aria-label": "Attempts" },
            job.attempts
              .filter((it) => it.worker)
              .map((it) =>
                h(
                  "button",
                  {
                    type: "button",
                    class: "chip",
                    "aria-pressed": String(it.attempt === attempt),
                    onclick: () => read(it.attempt),
                  },
                  `Attempt ${it.attempt}`,
                ),
              ),
          ),
        log(job.run, job.job.slice(0, 12), attempt, reading.signal),
      ),
    );
  };
  let shown = "";
  const refresh = async () => {
    job = await get(address, signal);
    show(head, headOf(job));
    show(body, content(job));
    const begun = job.attempts.filter((it) => it.worker).at(-1);
    // A build that has ended has its log elsewhere, and all of it.
    const key = begun ? `${begun.attempt} ${job.progress.state}` : "";
    if (key !== shown) {
      shown = key;
      if (begun && !job.built?.reused) read(begun.attempt);
      else logs.replaceChildren();
    }
  };
  const again = throttled(700, () => refresh().catch(() => {}));
  store.addEventListener("change", again, { signal });
  store.addEventListener("reload", again, { signal });
  const clock = setInterval(() => show(head, headOf(job)), 5000);
  signal.addEventListener("abort", () => clearInterval(clock));
  await refresh();
}

function headOf(job) {
  const { progress, built } = job;
  const begun = job.attempts.filter((it) => it.started_at).at(-1);
  return [
    h(
      "p",
      null,
      badge(PROGRESS[progress.state]),
      progress.state === "claimed" && begun ? ` for ${since(begun.started_at)} by ${progress.by}` : "",
      job.held_by && [" by ", link(path("runs", job.run, "jobs", job.held_by.job), job.held_by.cpv)],
    ),
    facts(
      ["Run", link(path("runs", job.run), short(job.run))],
      ["Package", link(path("packages", job.package), job.package)],
      ["Slot", job.slot],
      ["Repository", job.repository],
      ["Platform", job.platform],
      ["Builder", built?.builder ?? begun?.builder],
      ["Took", built && !built.reused ? duration(built.duration_ms) : null],
      [
        "Binary",
        built &&
          `${built.binary.path}, ${size(built.binary.size)}${built.reused ? ", was in the store already" : ""}`,
      ],
      ["Job", h("code", null, job.job.slice(0, 12))],
    ),
    job.failure && failure({ ...job.failure, page: null }),
  ];
}

function content(job) {
  const flags = Object.entries(job.use_flags);
  const jobs = (links) =>
    links.map((it) => [link(path("runs", job.run, "jobs", it.job), it.cpv), it.built ? " ✓" : ""]);
  const part = (title, links) =>
    links.length > 0 && [h("h3", null, title), folded(title, `${links.length} packages`, jobs(links), 24)];
  const tries = job.attempts.filter((it) => it.attempt > 1 || it.failure || it.worker);
  return [
    section(
      "What it needs",
      job.waits_for.length === 0 &&
        job.progress.state === "waiting" &&
        h("p", null, "Nothing that is not there."),
      part("Waits for", job.waits_for),
      part("To be built", job.build_needs),
      part("To run", job.runtime_needs),
      part("Needed by", job.needed_by),
      job.build_needs.length + job.runtime_needs.length + job.needed_by.length === 0 &&
        h("p", { class: "quiet" }, "It needs nothing of this batch, and nothing of it needs this."),
    ),
    section(
      "For whom",
      job.wanted_by.length > 0
        ? folded(
            "wanted",
            `${job.wanted_by.length} guests`,
            job.wanted_by.map((guest) => link(path("guests", guest), guest)),
            24,
          )
        : h("p", null, "Only other builds need it."),
    ),
    flags.length > 0 &&
      section(
        "USE",
        h(
          "p",
          { class: "flags" },
          flags.map(([flag, on]) => [h("code", { class: on ? "on" : "off" }, on ? flag : `-${flag}`), " "]),
        ),
      ),
    tries.length > 0 &&
      section(
        "Attempts",
        table(
          "Attempts",
          [{ label: "Attempt", number: true }, "Queue", "Worker", "Began", "Ended"],
          tries.map((it) => [
            it.attempt,
            it.queue ?? "–",
            it.worker ?? "–",
            it.started_at ? moment(it.started_at) : "–",
            it.failed_at ? `failed ${moment(it.failed_at)}: ${it.failure.cause}` : "–",
          ]),
          { quiet: true },
        ),
        tries
          .filter((it) => it.failure && it.failure.message !== job.failure?.failure.message)
          .map((it) =>
            h(
              "article",
              null,
              h("h3", null, `Attempt ${it.attempt} failed`),
              reason(it.failure, `attempt ${it.attempt}`),
            ),
          ),
      ),
    job.built?.findings.length > 0 &&
      section(
        "To know",
        h(
          "ul",
          null,
          job.built.findings.map((finding) => h("li", null, finding.text)),
        ),
      ),
  ];
}
