// Who has seen my last message: small avatars at its end, with all names for screen readers and on hover.

import { element } from "chatty/views/dom.js";
import { t, tn } from "chatty/views/i18n.js";

const FACES = 4;
const NAMED = 3; // names that are read; if there are more people, two names and a number

/** `seen`: the result of Presence.seenBy(). `kind`: of the conversation. */
export function showSeen(place, seen, kind) {
  place.title = seen.names.join(", ");
  const { shown, more } = facesOf(seen);
  const faces = shown.map(({ id, initial, hue }) => {
    const face = element("span", `avatar avatar--face avatar--h${hue}`, initial);
    face.dataset.people = id;
    return face;
  });
  if (more) faces.push(element("span", "", `+${more}`));
  for (const each of faces) each.setAttribute("aria-hidden", "true");
  place.replaceChildren(element("span", "visually-hidden", receiptText(seen, kind)), ...faces);
}

/** The first people, and how many others there are. */
export function facesOf({ faces }) {
  const shown = faces.slice(0, FACES);
  return { shown, more: faces.length - shown.length };
}

export function receiptText({ names, everybody }, kind) {
  if (!names.length) return "";
  if (kind === "direct") return t("seen");
  if (everybody) return t("seen.all");
  const more = names.length - NAMED + 1;
  const shown = more > 1 ? [...names.slice(0, NAMED - 1), tn("more", more)] : names;
  const last = shown.at(-1);
  const first = shown.slice(0, -1).join(", ");
  return t("seen.by", { names: first ? t("list", { names: first, last }) : last });
}
