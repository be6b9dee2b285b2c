// Messages that could not be used, and the way back for them.

import { h, link, path, show, throttled } from "./dom.js";
import { refused } from "./failure.js";
import * as session from "./session.js";
import { get, store } from "./store.js";
import { section } from "./table.js";
import { counted, moment, short } from "./words.js";

export async function draw({ room, signal, title }) {
  title("Dead letters");
  const body = h("div");
  const said = h("p", { role: "status", id: "said" });
  room.append(h("h1", null, "Dead letters"), said, body);
  let letters = [];
  const drawAll = () => show(body, content(letters, retry));
  const refresh = async () => {
    try {
      letters = (await get("/api/dead", signal)).dead_letters;
      drawAll();
    } catch (error) {
      if (!signal.aborted) show(body, refused(error));
    }
  };
  const retry = async (ids) => {
    if (!session.current().logged_in) {
      session.ask();
      return;
    }
    said.textContent = "Putting back …";
    try {
      const done = await session.post("/api/dead/retry", { letters: ids });
      const stayed = done.stayed.map((it) => ` ${it.id} stays: ${it.cause}.`).join("");
      said.textContent = `${counted(done.done.length, "dead letter")} put back where ${done.done.length === 1 ? "it" : "they"} came from.${stayed}`;
    } catch (error) {
      said.textContent = error.message;
      if (error.status === 401) session.ask();
    }
    await refresh();
  };
  const again = throttled(2000, refresh);
  session.watch(drawAll, signal);
  store.addEventListener("change", again, { signal });
  store.addEventListener("reload", again, { signal });
  const clock = setInterval(again, 5000);
  signal.addEventListener("abort", () => clearInterval(clock));
  await refresh();
}

function content(letters, retry) {
  const { writable } = session.current();
  if (letters.length === 0) return h("p", null, "There are no dead letters.");
  return section(
    "What could not be used",
    h(
      "p",
      { class: "quiet" },
      writable
        ? "Once the cause is gone, a letter can go back to the queue that it came from. "
        : [
            "This dashboard shows only. Once the cause is gone, ",
            h("code", null, "gentoo-updater dead retry ID"),
            " puts a letter back; so does this page where it is served with ",
            h("code", null, "--token-file"),
            ".",
          ],
    ),
    writable &&
      letters.length > 1 &&
      h(
        "p",
        null,
        h(
          "button",
          { type: "button", "data-key": "all", onclick: () => retry(letters.map((it) => it.id)) },
          `Put all ${letters.length} back`,
        ),
      ),
    letters.map((letter) =>
      h(
        "article",
        { class: "failure", "data-letter": letter.id },
        h(
          "h3",
          null,
          h("code", null, letter.id),
          " ",
          letter.task ?? letter.kind ?? "a message of no known kind",
        ),
        h("p", null, letter.cause),
        h(
          "p",
          { class: "quiet" },
          `${moment(letter.at)} · from ${letter.queue}`,
          letter.run && [" · run ", link(path("runs", letter.run), short(letter.run))],
          letter.sender && ` · sender ${letter.sender}`,
          letter.deliveries && ` · delivered ${counted(letter.deliveries, "time")}`,
          ` · ${counted(letter.bytes, "byte")}`,
        ),
        h(
          "p",
          { class: "next" },
          "Next: see whole with ",
          h("code", null, `gentoo-updater dead show ${letter.id}`),
          "; delete with ",
          h("code", null, `gentoo-updater dead drop ${letter.id}`),
          ".",
        ),
        writable &&
          h(
            "p",
            null,
            h(
              "button",
              { type: "button", "data-key": letter.id, onclick: () => retry([letter.id]) },
              "Put back",
            ),
          ),
      ),
    ),
  );
}
