// The list of conversations as frames arrive.

import { ConversationList } from "chatty/chat/conversation_list.js";
import { TEMPLATES } from "chatty/templates.js";
import { element, loadTemplates, slot } from "chatty/views/dom.js";
import { SidebarList } from "chatty/views/sidebar_list.js";
import { equal } from "tests/assert.js";

const ME = 1;
const AT = (minute) => new Date(Date.UTC(2026, 10, 29, 9, minute)).toISOString();

loadTemplates(TEMPLATES);

function listOf(...conversations) {
  document.getElementById("conversations")?.remove();
  const sections = ["favourites", "conversations", "direct", "archive"].map((name) => {
    const section = element("details", "", element("ul"));
    section.dataset.section = name;
    return section;
  });
  const place = element("div", "", ...sections);
  place.id = "conversations";
  document.body.append(place);
  const conversationList = new ConversationList({ me: ME, rows: [] });
  const page = { conversationList, me: { id: ME, time_zone: "UTC" }, data: {} };
  const list = new SidebarList(page);
  conversationList.on("messages", (change) => list.applyMessages(change));
  conversationList.on("change", (change) => list.update(change));
  conversationList.on("removed", (change) => list.remove(change));
  conversationList.setCounts(conversations.map(conversation));
  return { conversationList, list, page };
}

function conversation(given) {
  const seq = given.last?.seq ?? 0;
  return {
    kind: "group",
    access: "closed",
    name: `Garden ${given.id}`,
    version: given.last?.version ?? 0,
    last_seq: seq,
    last_read_seq: seq,
    last_text_at: AT(given.id),
    last: null,
    unread: 0,
    unread_more: false,
    mentions: [],
    level: "all",
    favourite: false,
    archived: false,
    other: null,
    ...given,
  };
}

function message(seq, version, text, more = {}) {
  return {
    seq,
    version,
    kind: "text",
    author: { id: 2, name: "Bob Baker" },
    excerpt: text,
    notice: null,
    mentions: [],
    created_at: AT(seq),
    deleted_at: null,
    ...more,
  };
}

function arrive({ conversationList }, id, ...messages) {
  const version = Math.max(...messages.map((each) => each.version));
  conversationList.applyMessages({ conversation: id, version, messages });
}

const rowOf = (id) => document.querySelector(`#conversations [data-conversation="${id}"]`);
const lineOf = (id) => [slot(rowOf(id), "who").textContent, slot(rowOf(id), "text").textContent].join(" ");
const orderOf = (section) =>
  [...document.querySelectorAll(`#conversations [data-section=${section}] li`)].map(({ dataset }) =>
    Number(dataset.conversation),
  );

export function test_last_message_follows_edits_and_deletion() {
  const shown = listOf({ id: 1 }, { id: 2 });
  arrive(shown, 1, message(1, 1, "One"), message(2, 2, "Two"));
  equal(lineOf(1), "Bob: Two");
  arrive(shown, 1, message(1, 3, "One, edited"));
  equal(lineOf(1), "Bob: Two");
  arrive(shown, 1, message(2, 4, "Two, edited"));
  equal(lineOf(1), "Bob: Two, edited");
  arrive(shown, 1, message(2, 5, "", { deleted_at: AT(9) }));
  equal(lineOf(1), "Bob: Message deleted");
  arrive(shown, 1, message(3, 6, "Mine", { author: { id: ME, name: "Me" } }));
  equal(lineOf(1), "You: Mine");
}

export function test_answer_that_is_older_than_a_frame_does_not_bring_back_former_text() {
  const shown = listOf({ id: 1, last: message(4, 4, "Before") });
  equal(lineOf(1), "Bob: Before");
  arrive(shown, 1, message(4, 5, "After"));
  shown.conversationList.applyConversation({
    type: "conversation",
    change: "level",
    conversation: conversation({ id: 1, last: message(4, 4, "Before"), level: "mentions" }),
  });
  equal(lineOf(1), "Bob: After");
}

export function test_messages_move_a_row_up_but_notices_and_muted_ones_do_not() {
  const shown = listOf({ id: 1 }, { id: 2 }, { id: 3, level: "nothing" });
  equal(orderOf("conversations"), [2, 1, 3]);
  arrive(shown, 1, message(30, 1, "New"));
  equal(orderOf("conversations"), [1, 2, 3]);
  arrive(shown, 3, message(40, 1, "Newer"));
  equal(orderOf("conversations"), [1, 2, 3]);
  const notice = { kind: "left", notice: { text: "", data: {} }, excerpt: "" };
  arrive(shown, 2, message(50, 1, "", notice));
  equal(orderOf("conversations"), [1, 2, 3]);
  equal(lineOf(2), " Bob Baker left.");
}

export function test_rows_change_their_section() {
  const shown = listOf({ id: 1 }, { id: 2 });
  const change = (given) =>
    shown.conversationList.applyConversation({
      type: "conversation",
      change: "favourite",
      conversation: conversation(given),
    });
  change({ id: 1, favourite: true });
  equal([orderOf("favourites"), orderOf("conversations")], [[1], [2]]);
  change({ id: 1, favourite: true, archived: true });
  equal([orderOf("favourites"), orderOf("archive")], [[], [1]]);
  equal(document.querySelector("[data-section=favourites]").hidden, true);
  shown.conversationList.applyConversation({
    type: "conversation",
    change: "removed",
    conversation: { id: 1 },
  });
  equal(document.querySelector("[data-section=archive]").hidden, true);
}

export function test_typing_is_shown_until_the_message_arrives() {
  const shown = listOf({ id: 1, last: message(1, 1, "One") });
  const bob = { id: 2, name: "Bob Baker" };
  shown.list.typing({ conversation: 1, user: { id: ME, name: "Me" } });
  equal(lineOf(1), "Bob: One");
  shown.list.typing({ conversation: 1, user: bob });
  equal(lineOf(1), " Bob is typing…");
  arrive(shown, 1, message(2, 2, "Two"));
  equal(lineOf(1), "Bob: Two");
}

export function test_new_name_of_an_author_is_shown() {
  const shown = listOf({ id: 1, last: message(1, 1, "One") });
  shown.list.person({ user: { id: 2, name: "Robert Baker" }, status: null });
  equal(lineOf(1), "Robert: One");
}

export function test_avatar_at_the_top_changes_when_a_group_gets_a_name() {
  const top = element("header", "topbar", element("span", "tile", element("span", "avatar")));
  document.body.append(top);
  const shown = listOf({ id: 1, name: "Bob, Carol", unnamed: true });
  shown.page.data.conversation = { id: 1 };
  shown.list.setCurrent();
  const avatar = top.querySelector(".avatar");
  const rename = (given) => shown.conversationList.setCounts([conversation({ id: 1, version: 9, ...given })]);
  rename({ name: "Bob, Carol", unnamed: true, version: 8 });
  equal([avatar.textContent, avatar.className], ["BC", "avatar avatar--h7"]);
  rename({ name: "Picnic", unnamed: false });
  equal([avatar.textContent, avatar.className], ["P", "avatar avatar--group avatar--h7"]);
  top.remove();
}
