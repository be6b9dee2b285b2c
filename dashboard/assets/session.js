// Who may change something here: nobody, unless the server has a token and the browser has shown it.

import { h } from "./dom.js";
import { answer, get } from "./store.js";

let session = { writable: false, logged_in: false, csrf_token: "" };
const listeners = new Set();

export const current = () => session;

export function watch(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
}

function set(next) {
  session = next;
  for (const listener of listeners) listener();
}

/** Asks for something to be done. */
export async function post(address, body) {
  const headers = { "content-type": "application/json", "x-csrf-token": session.csrf_token };
  return answer(await fetch(address, { method: "POST", headers, body: JSON.stringify(body) }));
}

export async function begin(button) {
  const draw = () => {
    button.hidden = !session.writable;
    button.textContent = session.logged_in ? "Log out" : "Log in";
  };
  listeners.add(draw);
  button.addEventListener("click", async () => {
    if (session.logged_in) {
      set(await post("/api/logout", {}));
    } else {
      ask();
    }
  });
  set(await get("/api/session"));
}

/** Asks for the token. */
export function ask() {
  const wrong = h("p", { class: "wrong", role: "alert", id: "token-wrong" });
  const field = h("input", {
    type: "password",
    id: "token",
    name: "token",
    autocomplete: "current-password",
    required: true,
    "aria-describedby": "token-wrong",
  });
  const close = () => dialog.close();
  const form = h(
    "form",
    null,
    h("h2", { id: "log-in" }, "Log in"),
    h(
      "p",
      null,
      "The token is in the file that the server was started with (",
      h("code", null, "--token-file"),
      ").",
    ),
    h("p", null, h("label", { for: "token" }, "Token"), field),
    wrong,
    h(
      "p",
      { class: "buttons" },
      h("button", { type: "submit", class: "main" }, "Log in"),
      h("button", { type: "button", onclick: close }, "Cancel"),
    ),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      set(await post("/api/login", { token: field.value.trim() }));
      close();
    } catch (error) {
      wrong.textContent = error.message;
      field.select();
    }
  });
  const dialog = h("dialog", { "aria-labelledby": "log-in" }, form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
