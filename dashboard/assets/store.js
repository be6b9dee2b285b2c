// What this page knows of the fleet: one document, and what has changed since.

import { throttled } from "./dom.js";

/** How long changes are collected for who listens to them by ear, in milliseconds. */
const TOLD_EVERY = 4000;

class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

/** The document of an address. The browser asks again only whether it has changed. */
export async function get(address, signal) {
  const response = await fetch(address, { headers: { accept: "application/json" }, signal });
  return answer(response);
}

export async function answer(response) {
  let document = null;
  try {
    document = await response.json();
  } catch {
    // Whoever answers in between may not speak JSON.
  }
  if (!response.ok)
    throw new Refused(response.status, document?.error ?? `${response.status} ${response.statusText}`);
  return document;
}

class Store extends EventTarget {
  guests = new Map();
  runs = new Map();
  offset = 0;
  left_out = 0;
  loaded = false;
  #source = null;
  #told = [];
  #announce = throttled(TOLD_EVERY, () => this.#say());

  async begin() {
    document.addEventListener("visibilitychange", () => this.#attend());
    await this.#load();
    this.#attend();
  }

  /** The newest run that goes on, or else the newest one. */
  newest() {
    const runs = [...this.runs].filter(([, run]) => run.kind !== "ScanOnly");
    const all = runs.length > 0 ? runs : [...this.runs];
    return all.findLast(([, run]) => !run.finished_at) ?? all.at(-1) ?? null;
  }

  async #load() {
    const fleet = await get("/api/fleet");
    this.guests = new Map(Object.entries(fleet.guests));
    this.runs = new Map(Object.entries(fleet.runs));
    this.offset = fleet.offset;
    this.left_out = fleet.left_out;
    this.loaded = true;
    this.dispatchEvent(new CustomEvent("reload"));
  }

  // A browser has few connections for each server, so a page that nobody sees gives its own back.
  #attend() {
    if (document.hidden) {
      this.#source?.close();
      this.#source = null;
      this.#state("paused");
    } else if (this.#source === null) {
      this.#open();
    }
  }

  #open() {
    const source = new EventSource(`/events?after=${this.offset}`);
    this.#source = source;
    source.onopen = () => this.#state("live");
    source.onerror = () => {
      this.#state("broken");
      // It comes again by itself, unless the server has refused it.
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        this.#source = null;
        setTimeout(() => this.#attend(), 2000);
      }
    };
    source.addEventListener("change", (event) => this.#change(JSON.parse(event.data)));
    source.addEventListener("bus", (event) =>
      this.dispatchEvent(new CustomEvent("bus", { detail: JSON.parse(event.data) })),
    );
    source.addEventListener("reload", () => this.#load().catch(() => this.#state("broken")));
  }

  #change(change) {
    this.offset = change.offset;
    for (const [name, cell] of Object.entries(change.guests ?? {})) {
      const before = this.guests.get(name);
      if (cell.outcome !== before?.outcome && cell.outcome === "Failed")
        this.#told.push(`guest ${name} failed`);
      this.guests.set(name, cell);
    }
    for (const [id, run] of Object.entries(change.runs ?? {})) {
      const before = this.runs.get(id);
      if (!before) this.#told.push("a run has begun");
      else if (!before.finished_at && run.finished_at)
        this.#told.push(`the run is ${run.outcome === "Complete" ? "complete" : "over, with failures"}`);
      else if ((run.jobs.failed ?? 0) > (before.jobs.failed ?? 0)) this.#told.push("a build failed");
      this.runs.set(id, run);
    }
    for (const name of change.gone ?? []) {
      this.guests.delete(name);
      this.runs.delete(name);
    }
    if (this.#told.length > 0) this.#announce();
    this.dispatchEvent(new CustomEvent("change", { detail: change }));
  }

  #say() {
    const words = [...new Set(this.#told)];
    this.#told = [];
    const more = words.length > 3 ? `, and ${words.length - 3} more` : "";
    this.dispatchEvent(new CustomEvent("say", { detail: words.slice(0, 3).join(", ") + more }));
  }

  #state(state) {
    this.dispatchEvent(new CustomEvent("connection", { detail: state }));
  }
}

export const store = new Store();
