// The script of pages for people who are not signed in.

import { connect as reveal } from "chatty/views/reveal.js";
import { connect as fillZone } from "chatty/views/zone.js";

for (const field of document.querySelectorAll("[data-time-zone]")) fillZone(field);
for (const button of document.querySelectorAll("[data-view=reveal]")) reveal(button);
for (const place of document.querySelectorAll("[data-view=strength]")) {
  // Not with view(): its module has much that these pages don't need.
  import("chatty/views/strength.js").then(({ connect }) => connect(place));
}
