// Starts the page in the offline page: with what was saved of the URL, as if the server had sent it.

import { ConversationList } from "chatty/chat/conversation_list.js";
import { readAll } from "chatty/chat/offline_storage.js";
import { TEMPLATES } from "chatty/templates.js";
import { showAvatar } from "chatty/views/avatar.js";
import { fill, loadTemplates, slot } from "chatty/views/dom.js";
import { buildOf, contentOf, draw } from "chatty/views/offline_page.js";
import { SidebarList } from "chatty/views/sidebar_list.js";

/** Resolves with false if nothing is saved. */
export async function start() {
  const saved = await readAll();
  if (!saved) return false;
  loadTemplates(TEMPLATES);
  const { theme, contrast, density, ...base } = saved.page;
  Object.assign(document.documentElement.dataset, { theme, contrast, density });
  const frame = document.getElementById("offline-frame");
  const page = { ...base, build: buildOf(document), offline_reading: true };
  const [card, content] = [document.getElementById("offline-card"), contentOf(document)];
  document.body.className = "app";
  document.body.replaceChildren(content, frame, card);
  const { data, address } = draw(document, location, saved, page);
  if (address.pathname !== location.pathname) history.replaceState(history.state, "", address);
  drawSidebar(document.getElementById("sidebar"), data);
  document.getElementById("app-data").textContent = JSON.stringify(data);
  await import("chatty/main.js");
  return true;
}

function drawSidebar(sidebar, data) {
  const { user: me, conversations } = data;
  for (const rows of sidebar.querySelectorAll(".section__rows")) rows.replaceChildren();
  const conversationList = new ConversationList({ me: me.id, rows: conversations });
  const list = new SidebarList({ conversationList, me, data });
  list.connect();
  for (const { id } of conversations) list.update({ id });
  showAvatar(slot(sidebar, "my-avatar"), me);
  fill(sidebar, "my-name", me.name);
}
