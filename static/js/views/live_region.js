// Has screen readers say something: #announcer of templates/base.html is the only live region of a page, apart
// from places that are always there. Several screen readers say nothing about an element that is inserted, or
// made visible, with its text.

const TOGETHER = 500; // ms: what is announced in this time is kept, or the first of two would be lost
const KEPT = 10_000; // ms after which an announcement can no longer be read in the region

/** @param {string} text */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (!region || !text) return;
  for (const said of region.querySelectorAll("[data-old]")) said.remove();
  // A new element each time: setting the same text again would not be announced.
  const line = document.createElement("p");
  line.textContent = text;
  region.append(line);
  setTimeout(() => (line.dataset.old = ""), TOGETHER);
  setTimeout(() => line.remove(), KEPT);
}
