// Sends what is unsent, from every page, and shows unsent text that can't be sent anymore.

import { removeOldDrafts } from "chatty/chat/old_drafts.js";
import { view } from "chatty/views/dom.js";
import { startSending } from "chatty/views/start_sending.js";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  const sending = startSending(page);
  const { drafts, outbox } = sending;
  removeOldDrafts();
  const look = async () => {
    if (page.data.conversation) await page.part("conversation_page");
    const { conversation: here, conversationList: list } = page;
    // Of conversations that are not in the list, or the open one if it is archived: its edits can't be opened.
    const isOrphaned = (id) => (id === here?.id ? here.composer.locked === "archived" : !list.get(id));
    const ids = new Set([...drafts.conversations(), ...outbox.conversations()].filter(isOrphaned));
    if (ids.size || drafts.formerScopes.length)
      view("orphaned_text").then(({ showOrphans }) => showOrphans(ids, page));
  };
  sending.loaded.then(look);
  page.on("shown", look);
  return sending;
}
