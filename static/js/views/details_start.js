// Loads the side pane (details.js) once it is needed: if it is open, or when someone is about to open it.

import { view } from "chatty/views/dom.js";

/** In narrower windows, the links to its pages are ordinary ones. As in static/css/components/details.css. */
export const WIDE = matchMedia("(width > 72em)");

/** True for a click that opens a link in a new tab or window. */
export function opensElsewhere(event) {
  return event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
}

export function startDetails(chat) {
  const place = document.getElementById("details");
  const bar = document.querySelector(".topbar__tools");
  const ending = new AbortController();
  let loading = null;
  const start = () => {
    if (WIDE.matches) loading ??= load(place, chat).then(() => ending.abort());
  };
  const { signal } = ending;
  for (const type of ["pointerover", "focusin"]) bar.addEventListener(type, start, { signal });
  if (place.dataset.shows) WIDE.addEventListener("change", start, { signal });
  if (place.dataset.shows) start();
  const onClick = (event) => {
    const link = event.target.closest("[data-pane]");
    if (!link || !WIDE.matches || opensElsewhere(event)) return;
    event.preventDefault();
    start();
    loading.then(() => {
      const focused = /** @type {HTMLElement} */ (document.activeElement);
      link.click(); // opens the pane and focuses it
      if (focused !== link && focused !== document.body) focused.focus({ preventScroll: true }); // typing by now
    });
  };
  bar.addEventListener("click", onClick, { signal });
}

function load(place, chat) {
  return view("details").then(
    ({ Details }) => new Details({ place, chat }).connect(),
    () => (place.hidden = true),
  );
}
