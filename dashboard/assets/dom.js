// Elements. What machines say becomes text, and never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "open") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** An HTML element: its attributes, `onclick` and its like, and what is in it. */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function s(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/** A link within these pages. Parts of the address that are names are encoded by `path`. */
export function link(href, ...children) {
  return h("a", { href }, ...children);
}

/** A text of this program, in which commands stand between backticks. */
export function prose(text) {
  return text.split("`").map((part, place) => (place % 2 === 1 ? h("code", null, part) : part));
}

/** An address of these parts. */
export function path(...parts) {
  return "/" + parts.map((part) => String(part).split("/").map(encodeURIComponent).join("/")).join("/");
}

/**
 * Puts new content into an element, and leaves it alone where it would be the same. The focus stays at the
 * link or field that had it, and what was unfolded stays so.
 */
export function show(element, ...children) {
  const next = h("div", null, ...children);
  if (next.isEqualNode(h("div", null, ...[...element.childNodes].map((node) => node.cloneNode(true)))))
    return;
  const active = element.contains(document.activeElement) ? mark(document.activeElement) : null;
  const open = new Set([...element.querySelectorAll("details[open][data-key]")].map((it) => it.dataset.key));
  const scrolled = [...element.querySelectorAll("[data-scroll]")].map((it) => [
    it.dataset.scroll,
    it.scrollTop,
    it.scrollLeft,
  ]);
  element.replaceChildren(...next.childNodes);
  for (const details of element.querySelectorAll("details[data-key]")) {
    if (open.has(details.dataset.key)) details.open = true;
  }
  for (const [name, top, left] of scrolled) {
    element.querySelector(`[data-scroll="${CSS.escape(name)}"]`)?.scrollTo(left, top);
  }
  if (active) {
    [...element.querySelectorAll(active.tag)]
      .find((it) => mark(it).name === active.name)
      ?.focus({ preventScroll: true });
  }
}

function mark(element) {
  const name = element.id || element.dataset?.key || element.getAttribute("href") || element.textContent;
  return { tag: element.tagName, name };
}

/** Calls at most once in so many milliseconds, and once more when there was a call meanwhile. */
export function throttled(milliseconds, call) {
  let timer = null;
  let again = false;
  const run = async () => {
    timer = setTimeout(() => {
      timer = null;
      if (again) {
        again = false;
        run();
      }
    }, milliseconds);
    await call();
  };
  return () => {
    if (timer === null) run();
    else again = true;
  };
}
