// One run: its batch as a graph, what failed, and how its guests stand.

import { h, link, path, prose, show, throttled } from "./dom.js";
import { failure } from "./failure.js";
import { graph } from "./graph.js";
import { runLine } from "./page-fleet.js";
import { get, store } from "./store.js";
import { badge, facts, folded, section, table } from "./table.js";
import { OUTCOMES, counted, duration, moment, packageOf, short } from "./words.js";

export async function draw({ room, parts: [asked], signal, title }) {
  const head = h("div");
  const failures = h("div");
  const batch = h("div");
  const body = h("div");
  let run = await get(path("api/runs", asked), signal);
  const id = run.run;
  title(`Run ${short(id)}`);
  room.append(h("h1", null, "Run ", short(id)), head, failures, batch, body);
  let drawn = null;

  const drawHead = () => {
    const header = store.runs.get(id);
    if (header)
      show(
        head,
        runLine(id, header),
        facts(
          ["Began", moment(header.started_at)],
          ["Ended", header.finished_at && moment(header.finished_at)],
          ["Round after", header.follows && link(path("runs", header.follows), short(header.follows))],
          ["Further round", run.further && link(path("runs", run.further), short(run.further))],
          ...Object.entries(run.repositories).map(([name, revision]) => [
            `Ebuild repository ${name}`,
            h("code", null, revision),
          ]),
        ),
      );
  };
  const drawBatch = async () => {
    const document = await get(path("api/runs", id, "graph"), signal);
    drawn = document.planned && document.jobs.length > 0 ? graph(document) : null;
    show(
      batch,
      section(
        "Batch",
        drawn
          ? [
              h(
                "p",
                { class: "quiet" },
                `${counted(document.jobs.length, "job")} in ${counted(document.layers, "layer")}. The longest chain takes ${duration(document.critical_ms)} with any number of builders; ${duration(document.left_ms)} of work are left.`,
              ),
              drawn.node,
            ]
          : h(
              "p",
              null,
              document.planned
                ? "There is nothing to build."
                : "The batch comes when all guests have answered.",
            ),
      ),
    );
  };
  const refresh = async () => {
    run = await get(path("api/runs", id), signal);
    drawHead();
    const part = (words, told) => told.length > 0 && section(`${words}: ${told.length}`, told.map(failure));
    show(failures, [
      part(
        "Failed",
        run.failures.filter((it) => !it.tried_again),
      ),
      part(
        "Failed, and tried again",
        run.failures.filter((it) => it.tried_again),
      ),
    ]);
    show(body, content(run));
  };
  const again = throttled(1500, () => refresh().catch(() => {}));
  const anew = throttled(1500, () => drawBatch().catch(() => {}));
  store.addEventListener(
    "change",
    ({ detail }) => {
      for (const [place, progress] of detail.jobs?.[id] ?? []) drawn?.update(place, progress);
      const header = detail.runs?.[id];
      if (header) drawHead();
      if (header?.planned && !drawn) anew();
      if (header || detail.guests) again();
    },
    { signal },
  );
  store.addEventListener(
    "reload",
    () => {
      anew();
      again();
    },
    { signal },
  );
  await Promise.all([refresh(), drawBatch()]);
}

function content(run) {
  const guests = Object.entries(run.guests);
  const rank = Object.keys(OUTCOMES);
  guests.sort(([, a], [, b]) => rank.indexOf(a.outcome) - rank.indexOf(b.outcome));
  const builders = Object.entries(run.builders);
  return [
    run.waits.length > 0 &&
      section(
        "Waiting",
        h(
          "ul",
          null,
          run.waits.map((wait) => h("li", null, prose(wait.text))),
        ),
      ),
    run.barriers.length > 0 &&
      section(
        "First, as a step of its own",
        h(
          "ul",
          null,
          run.barriers.map((text) => h("li", null, prose(text))),
        ),
      ),
    run.unapproved.length > 0 &&
      section(
        "Not without an approval",
        h(
          "ul",
          null,
          run.unapproved.map((text) => h("li", null, prose(text))),
        ),
      ),
    run.waves.length > 0 &&
      section(
        "Waves",
        table(
          "Waves",
          [
            "Wave",
            { label: "Guests", number: true },
            { label: "Done", number: true },
            { label: "Failed", number: true },
            "Ended",
          ],
          run.waves.map((wave) => [
            wave.name,
            wave.guests.length,
            wave.done,
            wave.failed,
            wave.ended_at ? moment(wave.ended_at) : "–",
          ]),
          { quiet: true },
        ),
      ),
    section(
      "Guests of this run",
      guestTable("Guests", guests.slice(0, 50)),
      guests.length > 50 &&
        h(
          "details",
          { "data-key": "guests" },
          h("summary", null, `${guests.length - 50} more`),
          guestTable("More guests", guests.slice(50)),
        ),
    ),
    builders.length > 0 &&
      section(
        "Builders that worked for it",
        builders.map(([name, builder]) =>
          h(
            "article",
            null,
            h("h3", null, link("/builders", name)),
            h(
              "p",
              null,
              `${counted(builder.removed.length, "package")} removed again, ${builder.updated.length} updated`,
            ),
            folded(
              `updated ${name}`,
              "What was updated",
              builder.updated.map((change) => `${change.before} → ${change.after}`),
              6,
            ),
            [...builder.findings, ...builder.kept].map((finding) => h("p", { class: "quiet" }, finding.text)),
            [builder.failure, builder.sync_failure]
              .filter(Boolean)
              .map((why) => h("p", { class: "warning" }, `${why.cause}: ${why.message}`)),
          ),
        ),
      ),
  ];
}

function guestTable(caption, guests) {
  return table(
    caption,
    [
      "Guest",
      "State",
      { label: "Wants", number: true },
      { label: "Changed", number: true },
      { label: "Held back", number: true },
    ],
    guests.map(([name, guest]) => [
      link(path("guests", name), name),
      badge(OUTCOMES[guest.outcome]),
      guest.updates,
      guest.changes,
      guest.held,
    ]),
    { quiet: true },
  );
}
