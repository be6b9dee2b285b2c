// Former runs, and how long and large they were.

import { h, link, path, show, throttled } from "./dom.js";
import { bars } from "./plot.js";
import { get, store } from "./store.js";
import { badge, section, table } from "./table.js";
import { counted, duration, moment, packageOf, runState, short, size } from "./words.js";

/** How many builds the plot of the longest ones has. */
const LONGEST = 15;

export async function draw({ room, signal, title }) {
  title("Runs");
  const body = h("div");
  room.append(h("h1", null, "Runs"), body);
  const refresh = async () => show(body, content(await get("/api/history", signal)));
  const again = throttled(3000, () => refresh().catch(() => {}));
  store.addEventListener("change", ({ detail }) => detail.runs && again(), { signal });
  store.addEventListener("reload", again, { signal });
  await refresh();
}

function content(past) {
  const runs = Object.entries(past.runs);
  if (runs.length === 0)
    return h("p", null, "There was no run yet. ", h("code", null, "gentoo-updater run"), " starts one.");
  const updates = runs.filter(([, run]) => run.kind !== "ScanOnly" && run.finished_at).slice(-40);
  const of = (value, words) =>
    updates.map(([id, run]) => ({
      label: short(id).slice(-4),
      href: path("runs", id),
      value: value(run),
      words: words(value(run)),
      title: moment(run.started_at),
      tone: run.outcome === "Complete" ? "good" : "bad",
    }));
  const took = (run) => Date.parse(run.finished_at) - Date.parse(run.started_at);
  const longest = [...past.builds].sort((a, b) => b.duration_ms - a.duration_ms).slice(0, LONGEST);
  const ofBuild = (value, words) =>
    longest.map((build) => ({
      label: build.cpv,
      href: path("packages", packageOf(build.cpv)),
      value: value(build),
      words: words(value(build)),
      title: `${build.builder}, ${moment(build.at)}`,
      tone: "work",
    }));
  return [
    updates.length > 0 &&
      section(
        "Durations and sizes",
        h(
          "div",
          { class: "plots" },
          bars("How long each run took", of(took, duration)),
          bars(
            "Time of all builds of a run together",
            of((run) => run.build_ms, duration),
          ),
          bars(
            "Binaries built in a run",
            of(
              (run) => run.built,
              (number) => number.toLocaleString("en"),
            ),
          ),
          bars(
            "Size of what a run built",
            of((run) => run.bytes, size),
          ),
        ),
      ),
    longest.length > 0 &&
      section(
        "The longest builds of late",
        h(
          "div",
          { class: "plots" },
          bars(
            "How long",
            ofBuild((build) => build.duration_ms, duration),
            { lying: true },
          ),
          bars(
            "How large",
            ofBuild((build) => build.size, size),
            { lying: true },
          ),
        ),
      ),
    section(
      "All runs",
      table(
        "Runs, the newest first",
        [
          "Run",
          "State",
          "Began",
          { label: "Took", number: true },
          { label: "Guests", number: true },
          { label: "Updated", number: true },
          { label: "Failed", number: true },
          { label: "Built", number: true },
          { label: "Reused", number: true },
          { label: "Failed builds", number: true },
          { label: "Built size", number: true },
        ],
        runs
          .reverse()
          .map(([id, run]) => [
            [link(path("runs", id), short(id)), run.kind === "ScanOnly" ? " (scan)" : ""],
            badge(runState(run)),
            moment(run.started_at),
            run.finished_at ? duration(took(run)) : "–",
            run.guests,
            run.updated,
            run.failed_guests,
            run.built,
            run.reused,
            run.failed,
            run.bytes > 0 ? size(run.bytes) : "–",
          ]),
        { quiet: true },
      ),
      h(
        "p",
        { class: "quiet" },
        `${counted(runs.length, "run")} in what is kept of the history. What guests and jobs were is known of the newest.`,
      ),
    ),
  ];
}
