// One package: where it was built, and who has it.

import { h, link, path, show, throttled } from "./dom.js";
import { get, store } from "./store.js";
import { badge, facts, folded, section, table } from "./table.js";
import { PROGRESS, counted, duration, moment, short, size } from "./words.js";

export async function draw({ room, parts: [category, name], signal, title }) {
  title(`${category}/${name}`);
  const body = h("div");
  room.append(h("h1", null, `${category}/${name}`), body);
  const refresh = async () => show(body, content(await get(path("api/packages", category, name), signal)));
  const again = throttled(1500, () => refresh().catch(() => {}));
  store.addEventListener("change", ({ detail }) => (detail.jobs || detail.runs) && again(), { signal });
  store.addEventListener("reload", again, { signal });
  await refresh();
}

function content(it) {
  const { memory_megabytes: memory, disk_megabytes: disk } = it.needs;
  return [
    facts(
      [
        "A build takes",
        it.duration_ms !== null
          ? `${duration(it.duration_ms)}${it.learnt_from ? `, says the log of ${it.learnt_from}` : ""}`
          : null,
      ],
      [
        "Had too little with",
        [memory && `${memory} MB of memory`, disk && `${disk} MB of space`].filter(Boolean).join(", "),
      ],
    ),
    section(
      "Jobs",
      it.jobs.length === 0
        ? h("p", null, "No run that is known builds it.")
        : table(
            "Jobs that build it",
            [
              "Version",
              "State",
              "Run",
              "Platform",
              { label: "Guests", number: true },
              { label: "Took", number: true },
              { label: "Size", number: true },
            ],
            it.jobs.map((job) => [
              link(path("runs", job.run, "jobs", job.job), job.cpv),
              badge(PROGRESS[job.progress.state]),
              link(path("runs", job.run), short(job.run)),
              job.platform,
              job.wanted_by,
              job.duration_ms !== null ? duration(job.duration_ms) : "–",
              job.size !== null ? size(job.size) : "–",
            ]),
            { quiet: true },
          ),
    ),
    it.former.length > 0 &&
      section(
        "Builds of former runs",
        table(
          "What former runs built of it, the newest first",
          ["Version", "Built", "Run", "Builder", { label: "Took", number: true }, { label: "Size", number: true }],
          it.former.map((build) => [
            link(path("runs", build.run, "jobs", build.job), build.cpv),
            moment(build.at),
            link(path("runs", build.run), short(build.run)),
            build.builder,
            duration(build.duration_ms),
            size(build.size),
          ]),
        ),
      ),
    it.installed.length > 0 &&
      section(
        "Installed when guests were asked last",
        it.installed.map(({ cpv, guests }) =>
          h(
            "article",
            null,
            h("h3", null, cpv),
            folded(
              `on ${cpv}`,
              counted(guests.length, "guest"),
              guests.map((guest) => link(path("guests", guest), guest)),
              24,
            ),
          ),
        ),
      ),
  ];
}
