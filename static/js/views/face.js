// Somebody's face: initials on their colour, and their picture on top once it has come. The server
// draws the same (templatetags/chatty.py).

import { initials } from "chatty/lib/people.js";
import { element } from "chatty/views/dom.js";

/** Make `avatar` the face of `person` {name, hue, picture}, or of nobody. */
export function showFace(avatar, person) {
  const { name = "", hue = 0, picture = null } = person ?? {};
  avatar.className = `avatar avatar--h${hue}`;
  const letters = initials(name);
  const shown = avatar.querySelector("img")?.getAttribute("src") ?? null;
  // A picture that stays is left alone: drawn anew it would blink.
  if (avatar.textContent === letters && shown === picture) return;
  avatar.replaceChildren(letters, ...(picture ? [image(picture)] : []));
}

function image(address) {
  const made = element("img", "avatar__picture");
  made.alt = "";
  made.loading = "lazy";
  made.decoding = "async";
  made.src = address;
  return made;
}
