// Why something failed, and what to do: the words of `gentoo-updater report`.

import { h, link, path, prose } from "./dom.js";
import { folded } from "./table.js";

/** The words of a failure, with the end of its log. */
export function reason(failure, key) {
  return [
    h("p", null, h("code", { class: "cause" }, failure.cause), ": ", prose(failure.message)),
    failure.log_tail.length > 0 &&
      h(
        "details",
        { "data-key": `log ${key}` },
        h("summary", null, "The end of its log"),
        h("pre", { tabindex: "0" }, failure.log_tail.join("\n")),
      ),
    failure.log_path && h("p", { class: "quiet" }, "The whole log: ", h("code", null, failure.log_path)),
  ];
}

/** One failure with what it was of, and what is to be done. */
export function failure(told) {
  const { subject, page } = told;
  return h(
    "article",
    { class: "failure" },
    h(
      "h3",
      null,
      h("span", { class: "sign", "aria-hidden": "true" }, told.tried_again ? "↻" : "✕"),
      " ",
      page ? link(page, subject) : subject,
    ),
    reason(told.failure, subject),
    h(
      "p",
      { class: "next" },
      "Next step: ",
      prose(told.next_step),
      told.next && [". When the cause is gone, ", h("code", null, told.next), " has it tried again"],
      told.tried_again && ". It is tried again by itself",
      ".",
    ),
    told.guests.length > 0 &&
      h(
        "p",
        { class: "quiet" },
        told.guests.length > 12 ? `${told.guests.length} guests lack it.` : "Lacked by:",
      ),
    folded(
      `guests ${subject}`,
      "Show them",
      told.guests.map((guest) => link(path("guests", guest), guest)),
    ),
  );
}

/** Says that something cannot be shown, and why. */
export function refused(error) {
  return h(
    "div",
    { class: "failure", role: "alert" },
    h("p", null, "This cannot be shown: ", error.message || String(error)),
    h("p", { class: "quiet" }, "The page tries again when something changes."),
  );
}
