// The people below the list of conversations of someone who joined lately: gone once there is a direct message.

import { go } from "chatty/views/go.js";
import { t } from "chatty/views/i18n.js";
import { toast } from "chatty/views/toast.js";

/**
 * `section`: templates/conversations/_people_to_talk_to.html
 * @param {HTMLElement} section
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(section, { conversationList, me, rest }) {
  section.querySelector("form").addEventListener("submit", (event) => talk(event, rest));
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

/** Open the conversation with the person who was pressed, without a load of its page. */
async function talk(event, rest) {
  event.preventDefault();
  const form = event.target;
  if (form.ariaBusy) return; // a second press
  form.ariaBusy = "true";
  try {
    const { id } = await rest.post("conversations/direct/", { user: Number(event.submitter.value) });
    go(`/c/${id}/`);
  } catch (error) {
    toast.error(error.detail ?? t("error.server"));
  } finally {
    form.ariaBusy = null;
  }
}

/** The same as is_with_others() in conversations/web/newcomers.py: tests/golden/with_others.json. */
export function isWithOthers({ kind, unnamed, other }, readerId) {
  return (kind === "direct" || Boolean(unnamed)) && other?.id !== readerId;
}
