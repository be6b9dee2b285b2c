// States in words, with a sign and a colour each: nobody has to see the colour.

export const OUTCOMES = {
  Failed: { label: "failed", sign: "✕", tone: "bad" },
  LeftOut: { label: "left out", sign: "⊘", tone: "bad" },
  HeldBack: { label: "held back", sign: "◒", tone: "warn" },
  StillPending: { label: "wants more", sign: "◑", tone: "warn" },
  Pending: { label: "pending", sign: "◔", tone: "warn" },
  Waiting: { label: "waits for its turn", sign: "◷", tone: "wait" },
  Scanning: { label: "being asked", sign: "?", tone: "work" },
  Building: { label: "waits for builds", sign: "▦", tone: "work" },
  Installing: { label: "installs", sign: "⇩", tone: "work" },
  Updated: { label: "updated", sign: "✓", tone: "good" },
  UpToDate: { label: "up to date", sign: "=", tone: "good" },
  Unknown: { label: "no run yet", sign: "·", tone: "none" },
};

export const PROGRESS = {
  failed: { label: "failed", sign: "✕", tone: "bad" },
  held_back: { label: "held back", sign: "◒", tone: "warn" },
  claimed: { label: "building", sign: "▶", tone: "work" },
  ready: { label: "ready", sign: "◷", tone: "wait" },
  waiting: { label: "waiting", sign: "·", tone: "none" },
  built: { label: "built", sign: "✓", tone: "good" },
};

export const outcomeOf = (cell) => cell.outcome ?? "Unknown";

export function runState(header) {
  if (header.outcome === "Complete") return { label: "complete", sign: "✓", tone: "good" };
  if (header.outcome === "WithFailures") return { label: "finished with failures", sign: "✕", tone: "bad" };
  return { label: "goes on", sign: "▶", tone: "work" };
}

export const short = (run) => run.replaceAll("-", "").slice(-12);

/** A package of a package and version: `app-misc/hello` of `app-misc/hello-2.0-r1` (PMS 3.2). */
export const packageOf = (cpv) => cpv.replace(/-\d+(\.\d+)*[a-z]?(_(alpha|beta|pre|rc|p)\d*)*(-r\d+)?$/, "");

export function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Milliseconds, to the second, or to a tenth of one below a minute. */
export function duration(ms) {
  const seconds = Math.max(0, ms) / 1000;
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  if (whole >= 60) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${seconds.toFixed(1)} s`;
}

/** Bytes in a unit that people read (10^3). */
export function size(bytes) {
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit + 1 < units.length) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export const moment = (time) => CLOCK.format(new Date(time));

export function since(time, now = Date.now()) {
  return duration(Math.max(0, Math.floor((now - Date.parse(time)) / 1000) * 1000)).replace(/\.0 s$/, " s");
}
