// A link to a conversation in a message. It has the author's words, and shows the present name instead if the reader is
// in that conversation, as conversations/web/conversation_links.py does.

import { setText } from "chatty/views/dom.js";

/**
 * @param {HTMLAnchorElement} element
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(element, { conversationList }) {
  const id = Number(/^\/c\/(\d+)\/$/.exec(element.getAttribute("href"))?.[1]);
  const show = () => {
    const row = conversationList.get(id);
    if (row?.kind === "group") setText(element, `#${row.name}`);
  };
  show();
  return { disconnect: conversationList.on("change", (row) => row.id === id && show()) };
}
