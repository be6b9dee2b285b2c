// What waits, and who works on what.

import { h, path, link, show, throttled } from "./dom.js";
import { refused } from "./failure.js";
import { get, store } from "./store.js";
import { folded, section, table } from "./table.js";
import { counted, since } from "./words.js";

const DIFFERENCE = {
  fewer: (by) =>
    `the queue lacks ${by}: a worker is about to claim what is missing, or the queue was purged; the planner issues again what is lost`,
  more: (by) =>
    `the queue holds ${by} more: a command that was issued twice, work of a run that is over, or a message of somebody else`,
  missing: () =>
    "the broker has no such queue: whoever comes up next declares it, and the planner issues again what is lost",
};

export async function draw({ room, signal, title }) {
  title("Queues");
  const body = h("div");
  const idle = h("input", { type: "checkbox", id: "idle" });
  room.append(
    h("h1", null, "Queues"),
    h("p", null, idle, " ", h("label", { for: "idle" }, "Show queues in which nothing is")),
    body,
  );
  const refresh = async () => {
    try {
      show(body, content(await get("/api/queues", signal), idle.checked));
    } catch (error) {
      if (!signal.aborted) show(body, refused(error));
    }
  };
  const again = throttled(2000, refresh);
  idle.addEventListener("change", refresh);
  store.addEventListener("change", again, { signal });
  store.addEventListener("reload", again, { signal });
  const clock = setInterval(again, 5000);
  signal.addEventListener("abort", () => clearInterval(clock));
  await refresh();
}

const words = (task) =>
  `${task.kind} ${task.subject ?? (task.job ? task.job.slice(0, 12) : "")}${task.attempt > 1 ? ` (attempt ${task.attempt})` : ""}`;

function named(task) {
  if (task.job) return link(path("runs", task.run, "jobs", task.job.slice(0, 12)), words(task));
  if (task.kind === "scan" || task.kind === "install") return link(path("guests", task.subject), words(task));
  return words(task);
}

function content(document, all) {
  const { bus, queues } = document;
  const holds = (queue) =>
    queue.depth > 0 ||
    queue.worked_on.length > 0 ||
    queue.waiting?.length > 0 ||
    queue.paused.length > 0 ||
    queue.difference ||
    queue.waiting === null;
  const shown = queues.filter((queue) => all || holds(queue));
  const paused = (queue) => [
    ...queue.paused.map(
      (it) =>
        `${typeof it.target === "string" ? it.target : Object.values(it.target)[0]} is paused${it.reason ? `: ${it.reason}` : ""}`,
    ),
    ...Object.entries(queue.unfit).map(([worker, cause]) => `${worker}: ${cause}`),
  ];
  return [
    h(
      "p",
      { class: bus.state === "good" ? null : "warning" },
      bus.state === "good"
        ? "The bus takes messages."
        : bus.state === "blocked"
          ? `The broker takes no messages (${bus.detail}): nothing goes on until its alarm is over; give it room, or raise its limits in rabbitmq.conf.`
          : `There is no connection to the broker (${bus.detail}): is it up, and is broker.url right?`,
    ),
    section(
      "Queues with work",
      table(
        "Queues",
        [
          "Queue",
          { label: "Messages", number: true },
          { label: "Consumers", number: true },
          "Waiting",
          "Worked on",
          "Note",
        ],
        shown.map((queue) => [
          queue.name,
          queue.depth ?? "–",
          queue.consumers ?? "–",
          queue.waiting?.length > 0
            ? folded(
                `waiting ${queue.name}`,
                `${queue.waiting.length}, the oldest for ${since(queue.waiting[0].issued_at)}`,
                queue.waiting.map((it) => named(it.task)),
                3,
              )
            : "–",
          queue.worked_on.length > 0
            ? h(
                "ul",
                { class: "inline" },
                queue.worked_on.map((it) =>
                  h("li", null, named(it.task), ` by ${it.worker}, for ${since(it.since)}`),
                ),
              )
            : "–",
          [...paused(queue), queue.difference && DIFFERENCE[queue.difference.kind](queue.difference.by)]
            .filter(Boolean)
            .join("; ") || "–",
        ]),
        { quiet: true },
      ),
      shown.length < queues.length &&
        h("p", { class: "quiet" }, `${counted(queues.length - shown.length, "queue")} in which nothing is.`),
    ),
  ];
}
