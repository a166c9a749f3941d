// The few things every view does with the page.

/** A part of the page that may come a moment later, or only where it is wanted. */
export const view = (name) => import(`chatty/views/${name}.js`);

/** The part of `root` that a template calls `name`, or null. */
export function slot(root, name) {
  return root?.querySelector(`[data-slot="${name}"]`) ?? null;
}

/** Put plain text into a slot, if the template has it. */
export function fill(root, name, text) {
  const element = slot(root, name);
  if (element && element.textContent !== text) element.textContent = text;
}

/** A fresh copy of the one element inside <template id>. */
export function fromTemplate(id) {
  const inside = document.getElementById(id)?.content.firstElementChild;
  // Imported, not just cloned: addresses inside mean nothing in a template's own document.
  return inside ? document.importNode(inside, true) : null;
}

/**
 * The only place where text becomes HTML: `html` must be what the server rendered and sanitised,
 * never anything a person typed.
 */
export function setServerHtml(element, html) {
  element.innerHTML = html;
}

/** An icon of the page's sprite (templates/_sprite.html). */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  drawing.append(use);
  return drawing;
}

/** Create an element with a class and children (nodes, or strings as text). */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A button that says `words` and does `work`. */
export function button(className, text, work) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", work);
  return made;
}

/** True while somebody is really looking at this page. */
export function isWatched() {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** True for what takes the keys that are pressed in it as text. */
export function isTypedInto(element) {
  return Boolean(element.closest?.("input, textarea, select, [contenteditable]"));
}
