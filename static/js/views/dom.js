// DOM helpers for the views.

/** Import a view that is loaded later, or only on some pages. */
export const view = (name) => import(`chatty/views/${name}.js`);

/** The element of `root` with [data-slot=name], or null. */
export function slot(root, name) {
  return root?.querySelector(`[data-slot="${name}"]`) ?? null;
}

/** The first element of `root` with this class, or null. */
export function part(root, name) {
  return root?.querySelector(`.${name}`) ?? null;
}

/** Set the text of a slot, if it exists. */
export function fill(root, name, text) {
  const element = slot(root, name);
  if (element) setText(element, text);
}

/** Set the text of an element, unless it is the same. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The message id of a row, a message or system message. 0 if it is pending. */
export function idOf(row) {
  return Number(row.id.slice(1));
}

const library = document.createElement("template");

/** Add the templates of conversations/web/script_templates.py to those of the page. */
export function loadTemplates(html) {
  setServerHtml(library, html);
}

/** The content of <template id>, from the page or the library. */
export function templateContent(id) {
  const found = document.getElementById(id) ?? library.content.getElementById(id);
  return /** @type {HTMLTemplateElement | null} */ (found)?.content;
}

/**
 * A fresh copy of the one element inside <template id>.
 * @returns {any}
 */
export function fromTemplate(id) {
  const inside = templateContent(id)?.firstElementChild;
  // importNode, not cloneNode: URLs don't resolve in the template's own document.
  return inside ? document.importNode(inside, true) : null;
}

/**
 * The only place that assigns innerHTML. `html` must have been rendered and sanitised by the server.
 * Never pass user input.
 */
export function setServerHtml(element, html) {
  element.innerHTML = html;
}

/** Create an element with a class and children (nodes, or strings for text). */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Create a button with a label that calls `work`. */
export function button(className, text, work) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", work);
  return made;
}

/** True while the page is visible and has focus, so someone is probably looking at it. */
export function isWatched() {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** True for elements that take keyboard input, where shortcuts must not apply. */
export function isTypedInto(element) {
  return Boolean(element.closest?.("input, textarea, select, [contenteditable]"));
}
