// The people below the list of conversations of someone who joined lately: gone once there is a direct message. The same
// rule as in conversations/web/newcomers.py.

/**
 * `section`: templates/conversations/_people_to_talk_to.html
 * @param {HTMLElement} section
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(section, { conversationList, me }) {
  const isWithOthers = (id) => {
    const { kind, unnamed, other } = conversationList.get(id) ?? {};
    return (kind === "direct" || unnamed) && other?.id !== me.id;
  };
  const update = () => {
    if (!conversationList.ids().some(isWithOthers)) return;
    const hadFocus = section.contains(document.activeElement);
    section.remove();
    const link = /** @type {HTMLElement} */ (document.querySelector("#conversations .row__link"));
    if (hadFocus) link?.focus({ preventScroll: true });
  };
  update();
  return { disconnect: conversationList.on("change", update) };
}
