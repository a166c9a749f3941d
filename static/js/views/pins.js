// Pinned messages: draws the marks of those that the server has not drawn.

import { fill, idOf } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

/**
 * For the mark of a pinned message.
 * @param {any} mark
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(mark, page) {
  const { store } = page.conversation?.chat ?? {};
  const id = idOf(mark.closest("[data-seq]"));
  const show = () => {
    const message = store?.get(id);
    if (message?.pinned) showPin(mark, message, page.data.user.id);
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
