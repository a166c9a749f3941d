// Avatars: initials on a background colour, covered by the picture once it has loaded. The
// golden cases of rows hold it to templates/rows/avatar.html.

import { initials } from "chatty/lib/people.js";
import { element } from "chatty/views/dom.js";

/** Render the avatar of `person` {name, hue, picture}, or an empty one if null. */
export function showAvatar(avatar, person) {
  const { name = "", hue = 0, picture = null } = person ?? {};
  avatar.className = `avatar avatar--h${hue}`;
  avatar.setAttribute("aria-hidden", "true"); // the name is next to it
  const letters = initials(name);
  const shown = [...avatar.querySelectorAll("img")].at(-1);
  const stays = (shown?.getAttribute("src") ?? null) === picture;
  if (stays && avatar.textContent === letters) return;
  const made = picture && !stays && image(picture);
  // Keep the old picture until the new one has loaded, to avoid flicker.
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
