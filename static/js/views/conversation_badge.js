// The avatar of a conversation, as in templates/rows/badge.html.

import { hueOf, initials } from "chatty/lib/people.js";
import { showAvatar } from "chatty/views/avatar.js";
import { fromTemplate, part, setText } from "chatty/views/dom.js";

/** The other person's avatar in a direct message, or the tile of a group, with a lock if it is private. */
export function showBadge(row, { id, kind, access, name, other }) {
  const avatar = part(row, "avatar");
  if (kind === "direct") {
    part(row, "tile")?.replaceWith(avatar); // of the template
    return showAvatar(avatar, other);
  }
  avatar.className = `avatar avatar--group avatar--h${hueOf(id)}`;
  setText(avatar, initials(name));
  const lock = part(row, "tile__lock");
  if (access === "open") lock?.remove();
  else if (!lock) avatar.after(part(fromTemplate("sidebar-row-template"), "tile__lock"));
}
