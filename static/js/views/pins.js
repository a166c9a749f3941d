// Pinned messages: draws the marks and notices of pins that the server has not drawn.

import { element, fill, idOf, part } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

/**
 * For the mark of a pinned message, and for a notice about a message.
 * @param {any} place
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(place, page) {
  const { store } = page.conversation?.chat ?? {};
  const id = idOf(place.closest("[data-seq]"));
  const show = () => {
    const message = store?.get(id);
    if (message?.notice) showLink(place, message);
    else if (message?.pinned) showPin(place, message, page.data.user.id);
  };
  show();
  // It may have been unpinned, and pinned by someone else.
  const stop = store?.on("change", ({ ids }) => ids.includes(id) && show());
  return { disconnect: () => stop?.() };
}

/** `me`: my user id. */
export function showPin(mark, { conversation, pinned }, me) {
  const { id, name } = pinned.user;
  mark.href = `/c/${conversation}/pins/`;
  fill(mark, "pin", id === me ? t("pinned.me") : t("pinned", { name }));
}

/** Make the text of a notice a link to the message. */
export function showLink(row, { notice }) {
  if (part(row, "notice__link")) return;
  const text = part(row, "notice__text");
  const link = element("a", "notice__link");
  link.href = `/m/${notice.data.message}/`;
  text.replaceWith(link);
  link.append(text);
}
