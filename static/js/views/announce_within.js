// Live regions of a part of a page that is about to be inserted.

import { announce } from "chatty/views/live_region.js";

/** Announce what `root`, about to be inserted, has in live regions of its own. They would be silent. */
export function announceWithin(root) {
  for (const live of root.querySelectorAll("[role=alert], [role=status]")) {
    live.removeAttribute("role");
    announce(live.textContent.replace(/\s+/g, " ").trim());
  }
}
