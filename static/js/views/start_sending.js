// Starts sending what is written here, and what is unsent from before.

import { Sending } from "chatty/chat/sending.js";
import { t } from "chatty/views/i18n.js";

/**
 * Only the first call starts it.
 * @param {import("chatty/views/page.js").Page} page
 */
export function startSending(page) {
  const { me, scope, data, chat, rest } = page;
  page.sending ??= new Sending({ me: me.id, scope, writer: data.writer, chat, rest, t });
  return page.sending;
}
