// From an address to its page.

import { h, prose } from "./dom.js";
import { refused } from "./failure.js";
import * as keys from "./keys.js";
import * as session from "./session.js";
import { store } from "./store.js";

const PAGES = [
  [/^\/$/, () => import("./page-fleet.js")],
  [/^\/(?:runs|history)\/?$/, () => import("./page-runs.js")],
  [/^\/runs\/([^/]+)$/, () => import("./page-run.js")],
  [/^\/runs\/([^/]+)\/jobs\/([^/]+)$/, () => import("./page-job.js")],
  [/^\/guests\/([^/]+)$/, () => import("./page-guest.js")],
  [/^\/packages\/([^/]+)\/([^/]+)$/, () => import("./page-package.js")],
  [/^\/builders\/?$/, () => import("./page-builders.js")],
  [/^\/queues\/?$/, () => import("./page-queues.js")],
  [/^\/dead\/?$/, () => import("./page-dead.js")],
];
const CONNECTION = { live: "live", broken: "connecting again", paused: "paused", loading: "connecting" };

const main = document.getElementById("main");
let leaving = new AbortController();

/** Draws the page of the address that the browser shows. */
async function draw(takeFocus) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { pathname } = location;
  for (const link of document.querySelectorAll("nav a")) {
    const own = link.getAttribute("href");
    const is = own === "/" ? pathname === "/" : pathname.startsWith(own);
    if (is) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const [match, load] =
    PAGES.map(([pattern, load]) => [pattern.exec(pathname), load]).find(([match]) => match) ?? [];
  const room = h("div", { class: "page" });
  try {
    if (!match) throw new Error("there is no such page");
    const page = await load();
    if (signal.aborted) return;
    const parts = match.slice(1).map(decodeURIComponent);
    await page.draw({ room, parts, signal, title });
    if (signal.aborted) return;
  } catch (error) {
    if (signal.aborted) return;
    room.replaceChildren(h("h1", null, "Not here"), refused(error));
    title("Not here");
  }
  main.replaceChildren(room);
  if (takeFocus) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function title(words) {
  document.title = `${words} · gentoo-updater`;
}

function go(address) {
  history.pushState(null, "", address);
  draw(true);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  const href = link?.getAttribute("href");
  if (!plain || !href?.startsWith("/") || href.startsWith("/api/")) return;
  event.preventDefault();
  go(href);
});
addEventListener("popstate", () => draw(true));

const connection = document.getElementById("connection");
store.addEventListener("connection", ({ detail }) => {
  connection.dataset.state = detail;
  connection.textContent = CONNECTION[detail];
});
// What comes from a bus that is away comes no more, so each page is what it was.
const bus = document.getElementById("bus");
store.addEventListener("bus", ({ detail: { status, detail, remedy } }) => {
  bus.hidden = status === "pass";
  bus.replaceChildren(
    ...(bus.hidden ? [] : ["What is shown may be old: ", ...prose(`${detail}. ${remedy}.`)]),
  );
});
store.addEventListener("say", ({ detail }) => {
  document.getElementById("announcer").textContent = detail;
});

keys.begin(go);
session.begin(document.getElementById("session")).catch(() => {});
try {
  await store.begin();
} catch (error) {
  main.replaceChildren(h("h1", null, "Fleet"), refused(error));
  setTimeout(() => location.reload(), 5000);
}
if (store.loaded) await draw(false);
document.documentElement.dataset.drawn = "";
performance.mark("drawn");
