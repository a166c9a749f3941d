// Loads the side pane (pane.js) once it is needed: if it was open, or when someone opens it.

import { hasModifier, view } from "chatty/views/dom.js";
import { followedLink } from "chatty/views/go.js";

/** In narrower windows, the pane covers the page. As in static/css/components/details.css. */
export const WIDE = matchMedia("(width > 72em)");

/** The link that opens the page at this path in the pane, or null. Others to the same page do, too. */
export function openerOf(pathname) {
  return document.querySelector(`a[data-pane][href="${pathname}"]`);
}

/** The link to the card of a person, if a click was on a name or face: in the conversation, or at the top. */
function cardOf(event) {
  const faces =
    ".message__author, .notice__person, .message .avatar, .mention, .topbar .presence, .topbar__name";
  const face = hasModifier(event) ? null : event.target.closest?.(faces);
  if (face?.href) return face;
  const { people, author, personCard } =
    face?.closest("[data-people], [data-author], .topbar")?.dataset ?? {};
  const id = people ?? author ?? personCard;
  if (!id || id.includes(" ")) return null; // a mention of several people with this name
  const link = document.createElement("a");
  link.href = `/people/${id}/`;
  link.dataset.pane = "person";
  return link;
}

/** @param {import("chatty/views/page.js").Page} page */
export function connect(place, page) {
  const ending = new AbortController();
  const { signal } = ending;
  let pane = null; // a promise, once it is needed
  const load = () => {
    pane ??= view("pane", { isAwaited: true }).then(
      ({ connectPane }) => connectPane(place, page),
      (error) => {
        pane = null; // so that the next attempt loads it again
        throw error;
      },
    );
    return pane;
  };
  const reopen = () => {
    const wasOpen = history.state?.pane || (WIDE.matches && place.dataset.shows);
    if (!wasOpen || pane) return;
    load().then(
      (loaded) => loaded.reopen(),
      () => (place.hidden = true),
    );
  };
  const open = (event) => {
    const card = cardOf(event);
    const link = card ?? followedLink(event);
    if (!link || place.contains(event.target) || !(card || openerOf(link.pathname))) return;
    event.preventDefault();
    const focused = document.activeElement;
    load().then(
      (loaded) => loaded.toggle(link, focused),
      () => location.assign(link.href),
    );
  };
  // Before navigation.js, which follows the links that are left.
  document.addEventListener("click", open, { signal, capture: true });
  WIDE.addEventListener("change", reopen, { signal });
  reopen();
  return {
    disconnect() {
      ending.abort();
      pane?.then((loaded) => loaded.disconnect());
    },
  };
}
