// The people below the list of conversations of someone who joined lately: gone once there is a direct message.

/**
 * `section`: templates/conversations/_people_to_talk_to.html
 * @param {HTMLElement} section
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(section, { conversationList, me }) {
  const update = () => {
    if (!conversationList.ids().some((id) => isWithOthers(conversationList.get(id), me.id))) return;
    const hadFocus = section.contains(document.activeElement);
    section.remove();
    const link = /** @type {HTMLElement} */ (document.querySelector("#conversations .row__link"));
    if (hadFocus) link?.focus({ preventScroll: true });
  };
  update();
  return { disconnect: conversationList.on("change", update) };
}

/** The same as is_with_others() in conversations/web/newcomers.py: tests/golden/with_others.json. */
export function isWithOthers({ kind, unnamed, other }, readerId) {
  return (kind === "direct" || Boolean(unnamed)) && other?.id !== readerId;
}
