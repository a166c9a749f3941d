// The avatar of a conversation, as in templates/rows/badge.html.

import { hueOf, initials } from "chatty/lib/people.js";
import { showAvatar } from "chatty/views/avatar.js";
import { fromTemplate, part, setText } from "chatty/views/dom.js";

/**
 * The other person's avatar in a direct message, or the tile of a group, with a lock if it is private. That of a group
 * without a name is round and has no lock, because it stands for people.
 */
export function showBadge(row, { id, kind, access, name, other, unnamed }) {
  const avatar = part(row, "avatar");
  if (kind === "direct") {
    part(row, "tile")?.replaceWith(avatar); // of the template
    return showAvatar(avatar, other);
  }
  avatar.className = `avatar ${unnamed ? "" : "avatar--group "}avatar--h${hueOf(id)}`;
  setText(avatar, initials(unnamed ? firstWords(name) : name));
  const lock = part(row, "tile__lock");
  if (access === "open" || unnamed) lock?.remove();
  else if (!lock) avatar.after(part(fromTemplate("sidebar-row-template"), "tile__lock"));
}

/** Of names separated by commas, the first word of each. */
function firstWords(names) {
  return names.replace(/([^,]) [^,]*/g, "$1");
}
