// The log of a build, as it is written.

import { h, path } from "./dom.js";
import { get } from "./store.js";
import { terminal } from "./terminal.js";
import { size } from "./words.js";

/** How often more is asked for, in milliseconds. */
const PACE = 1000;
/** How much of the end is kept, in characters. */
const KEPT = 400000;

/** Shows the log of an attempt at a job; of the last one unless told. It ends with `signal`. */
export function log(run, job, attempt, signal) {
  const place = h("p", { class: "quiet" }, "Reading …");
  const said = document.createTextNode("");
  const last = document.createTextNode("");
  const text = h(
    "pre",
    { class: "log", tabindex: "0", role: "log", "aria-live": "off", "aria-label": "Log of the build" },
    said,
    last,
  );
  const node = h("div", { class: "log-of" }, place, text);
  const own = path("api/runs", run, "jobs", job, "log");
  const asked = attempt ? `&attempt=${attempt}` : "";
  const take = terminal();
  let next = null;
  const read = async () => {
    const from = next === null ? "" : `&from=${next}`;
    const piece = await get(`${own}?${(asked + from).replace(/^&/, "")}`, signal);
    const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 24;
    if (piece.why) {
      place.textContent = `${piece.place}: ${piece.why}`;
    } else {
      place.textContent = `${piece.place} · ${size(piece.size)}${piece.running ? " · still written" : ""}${piece.from > 0 && next === null ? " · the end of it" : ""}`;
      if (piece.text !== "") {
        const [more, unfinished] = take(piece.text);
        said.appendData(more);
        if (said.length > KEPT) said.deleteData(0, said.length - KEPT / 2);
        last.data = unfinished;
      }
      next = piece.next;
      if (atEnd) text.scrollTop = text.scrollHeight;
    }
    return piece.running || (!piece.why && piece.next < piece.size);
  };
  const go = async () => {
    while (!signal.aborted) {
      try {
        if (!document.hidden && !(await read())) return;
      } catch (error) {
        if (signal.aborted) return;
        place.textContent = `This log cannot be read: ${error.message}`;
        return;
      }
      await new Promise((done) => setTimeout(done, PACE));
    }
  };
  go();
  return node;
}
