// Going to a page, for all views. Navigation does it without a load where that is possible.

import { hasModifier } from "chatty/views/dom.js";

let navigate = (url, _fetched) => location.assign(url);

/** Go to this URL as if its link had been clicked. `fetched`: {answer, drawn}, if its page is here already. */
export function go(url, fetched = null) {
  navigate(url, fetched);
}

export function navigateWith(how) {
  navigate = how;
}

/** The link of a click that the browser would follow in this window, or null. Others stay as they are. */
export function followedLink(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || hasModifier(event)) return null;
  // Links that have to load a page have the target _self.
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return null;
  return link;
}
