// DOM helpers for the views.

import { trusted } from "chatty/lib/trusted_types.js";

/**
 * Import a view that is loaded later, or only on some pages. If that fails, the window gets "viewerror", and Page
 * decides whether to try again. `isAwaited`: someone is waiting for it, so a later attempt would be too late.
 */
export function view(name, { isAwaited = false } = {}) {
  return import(`chatty/views/${name}.js`).catch((error) => {
    const failure = { isAwaited, reconnected: null };
    dispatchEvent(new CustomEvent("viewerror", { detail: failure }));
    if (!failure.reconnected) throw error;
    return failure.reconnected.then(() => view(name));
  });
}

/**
 * The element of `root` with this id, or null. Ids are unique in the page, but a part of a conversation must not
 * find the one that is shown after it.
 * @returns {any}
 */
export function byId(root, id) {
  return root.querySelector(`#${CSS.escape(id)}`);
}

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

const library = new DocumentFragment();

/** Add the templates of conversations/web/script_templates.py to those of the page. */
export function loadTemplates(html) {
  const more = document.createElement("template");
  setServerHtml(more, html);
  library.append(more.content);
}

/** The content of <template id>, from the page or the library. */
export function templateContent(id) {
  const found = document.getElementById(id) ?? library.getElementById(id);
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

/** Show a dialog until it is closed. */
export function showDialog(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    // Chromium has given the focus back, but may ignore what is typed until it is given again.
    const focused = /** @type {HTMLElement} */ (document.activeElement);
    focused.blur();
    focused.focus();
  });
  dialog.showModal();
}

/** Replace the content of an element. `html` must have been rendered and sanitised by the server. */
export function setServerHtml(element, html) {
  element.innerHTML = trusted.createHTML(html);
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

/** Make a textarea as tall as its text, in browsers that don't know `field-sizing`. */
export function grow(box) {
  if (CSS.supports("field-sizing", "content")) return;
  box.style.blockSize = "auto";
  box.style.blockSize = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
}

/** The keyboard is on the screen, and opens when a field is focused. */
export const isTouch = matchMedia("(hover: none) and (pointer: coarse)");

/** Shortcuts have ⌘ in place of Ctrl. */
export const isMac = /mac|iphone|ipad/i.test(navigator.platform);

/** True while the page is visible and has focus, so someone is probably looking at it. */
export function isWatched() {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** True for elements that take keyboard input, where shortcuts must not apply. */
export function isTypedInto(element) {
  return Boolean(element.closest?.("input, textarea, select, [contenteditable]"));
}

/** True while a modifier key is pressed: most browsers then do something else with a link or a key. */
export function hasModifier({ ctrlKey, metaKey, shiftKey, altKey }) {
  return ctrlKey || metaKey || shiftKey || altKey;
}
