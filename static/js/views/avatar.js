// Somebody's avatar: initials on their colour, and their picture on top once it has come. The server
// draws the same (templatetags/chatty.py).

import { initials } from "chatty/lib/people.js";
import { element } from "chatty/views/dom.js";

/** Make `avatar` the avatar of `person` {name, hue, picture}, or of nobody. */
export function showAvatar(avatar, person) {
  const { name = "", hue = 0, picture = null } = person ?? {};
  avatar.className = `avatar avatar--h${hue}`;
  avatar.setAttribute("aria-hidden", "true"); // the name stands beside it
  const letters = initials(name);
  const shown = [...avatar.querySelectorAll("img")].at(-1);
  const stays = (shown?.getAttribute("src") ?? null) === picture;
  if (stays && avatar.textContent === letters) return;
  const made = picture && !stays && image(picture);
  // What is seen stays until another picture lies on it: in between it would blink.
  avatar.replaceChildren(letters, ...[picture && shown, made].filter(Boolean));
  if (made) made.addEventListener("load", () => shown?.remove());
}

function image(address) {
  const made = element("img", "avatar__picture");
  made.alt = "";
  made.loading = "lazy";
  made.decoding = "async";
  made.src = address;
  return made;
}
