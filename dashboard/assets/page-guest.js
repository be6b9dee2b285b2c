// One guest.

import { h, link, path, prose, show, throttled } from "./dom.js";
import { failure, reason } from "./failure.js";
import { get, store } from "./store.js";
import { badge, facts, folded, section, table } from "./table.js";
import { OUTCOMES, counted, moment, packageOf, short } from "./words.js";

export async function draw({ room, parts: [name], signal, title }) {
  title(name);
  const body = h("div");
  room.append(h("h1", null, name), body);
  const refresh = async () => show(body, content(await get(path("api/guests", name), signal)));
  const again = throttled(700, () => refresh().catch(() => {}));
  store.addEventListener(
    "change",
    ({ detail }) => (detail.guests?.[name] || detail.jobs || detail.runs) && again(),
    { signal },
  );
  store.addEventListener("reload", again, { signal });
  await refresh();
}

function content(guest) {
  const { report } = guest;
  const run = guest.runs[0];
  const change = (it) => `${it.before ?? "–"} → ${it.after ?? "–"}`;
  const of = (cpv) => link(path("packages", packageOf(cpv)), cpv);
  return [
    h(
      "p",
      null,
      report ? badge(OUTCOMES[report.outcome]) : badge(OUTCOMES.Unknown),
      " ",
      guest.words ?? "No run that is known has it.",
    ),
    facts(
      ["Platform", guest.platform],
      ["Newest run", run && link(path("runs", run.run), short(run.run))],
      ["Installed packages", guest.installed > 0 ? guest.installed.toLocaleString("en") : null],
      ["Unchanged since", report?.unchanged_since && moment(report.unchanged_since)],
      ["Configuration", guest.configured ? null : "no longer names it"],
    ),
    guest.waits.map((text) => h("p", { class: "warning" }, prose(text))),
    guest.failure && section("Failed", failure({ ...guest.failure, page: null, guests: [] })),
    report?.retried && section("Tried again", reason(report.retried, "retried")),
    guest.held.length > 0 &&
      section(
        "Held back",
        h(
          "ul",
          null,
          guest.held.map(([cpv, reason]) => h("li", null, of(cpv), ": ", prose(reason))),
        ),
      ),
    report?.updates.length > 0 &&
      section(
        "Wants",
        folded(
          "wants",
          counted(report.updates.length, "update"),
          report.updates.map((text) => [of(text.split(" ")[0]), ` ${text.split(" ").slice(1).join(" ")}`]),
          40,
        ),
      ),
    guest.jobs.length > 0 &&
      section(
        "Jobs for it",
        folded(
          "jobs",
          counted(guest.jobs.length, "job"),
          guest.jobs.map(([cpv, job]) => link(path("runs", run.run, "jobs", job), cpv)),
          40,
        ),
      ),
    report?.changes.length > 0 &&
      section(
        "Changed",
        folded("changes", counted(report.changes.length, "package"), report.changes.map(change), 40),
      ),
    report?.findings.length > 0 &&
      section(
        "To know",
        h(
          "ul",
          null,
          report.findings.map((finding, place) =>
            h(
              "li",
              null,
              finding.text,
              finding.details?.length > 0 &&
                h(
                  "details",
                  { "data-key": `finding ${place}` },
                  h("summary", null, "Details"),
                  h("pre", { tabindex: "0" }, finding.details.join("\n")),
                ),
            ),
          ),
        ),
      ),
    [
      ["Asked", guest.scans],
      ["Updated", guest.installations],
    ].map(
      ([title, attempts]) =>
        attempts.some((it) => it.worker || it.failure) &&
        section(
          title,
          table(
            title,
            [{ label: "Attempt", number: true }, "Worker", "Began", "Ended"],
            attempts.map((it) => [
              it.attempt,
              it.worker ?? "–",
              it.started_at ? moment(it.started_at) : "–",
              it.failed_at ? `failed ${moment(it.failed_at)}: ${it.failure.cause}` : "–",
            ]),
            { quiet: true },
          ),
        ),
    ),
    guest.runs.length > 0 &&
      section(
        "Runs",
        table(
          "Runs that have it",
          ["Run", "State", "Began", "Cause"],
          guest.runs.map((it) => [
            link(path("runs", it.run), short(it.run)),
            badge(OUTCOMES[it.outcome]),
            moment(it.started_at),
            it.failure?.cause ?? "–",
          ]),
          { quiet: true },
        ),
      ),
  ];
}
