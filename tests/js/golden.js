// The rules of tests/golden/rules.py with the scripts of the page. tests/js/golden.test.js compares the results.

import { ConversationList, levelOf, notifiableCount, WINDOW } from "chatty/chat/conversation_list.js";
import { Presence } from "chatty/chat/presence.js";
import {
  ACCOUNT_CLOSED,
  afterClose,
  CLIENT_FRAMES,
  SIGNED_OUT,
  SUBPROTOCOL,
  TOO_MANY_SOCKETS,
} from "chatty/chat/protocol.js";
import { Store } from "chatty/chat/store.js";
import { caseFolded, rank } from "chatty/lib/match.js";
import { initials } from "chatty/lib/people.js";
import { bodyLength, isBlank, isOnlyEmoji, tidyBody } from "chatty/lib/text.js";
import { Times } from "chatty/lib/times.js";
import { TEMPLATES } from "chatty/templates.js";
import { Days } from "chatty/views/days.js";
import { element, fromTemplate, loadTemplates, slot } from "chatty/views/dom.js";
import { noticeText, tn } from "chatty/views/i18n.js";
import { fitting, mentionIn } from "chatty/views/mentions.js";
import { MessageView } from "chatty/views/message.js";
import { onlineSummary, receiptText } from "chatty/views/presence.js";
import { Sidebar } from "chatty/views/sidebar.js";

const BODY_MAX = 4_000;
const SHOWN = 100;
const [ME, OTHER] = [1, 2];

// Each returns what must equal `expected`. The second argument is for rules that only have to agree with it.
const RULES = {
  bodies(parts) {
    const text = parts.map((part) => (Array.isArray(part) ? part[0].repeat(part[1]) : part)).join("");
    const body = tidyBody(text);
    if (isBlank(body)) return { error: "empty" };
    if (bodyLength(text) > BODY_MAX) return { error: "too_long" };
    // The server normalises the text that it stores.
    return bodyLength(text) <= SHOWN ? { body: body.normalize("NFC") } : { length: bodyLength(text) };
  },

  excerpts(_body, excerpt) {
    const quoted = { ...messageOf([1, OTHER, "2026-11-29T12:00:00.000Z"]), version: 1, excerpt };
    const page = { messages: [quoted], position: 1, has_older: false, has_newer: false };
    const quote = new Store({ me: ME, page }).quoteOf(1);
    const view = new MessageView({ me: { id: ME }, times: new Times(), permissions: {} });
    const row = view.drawPending({ body: "", created_at: quoted.created_at, reply_to: 1, quote });
    return slot(row, "reply-text").textContent;
  },

  only_emoji: isOnlyEmoji,

  initials,

  same_names({ name, call }, expected) {
    const [person, typed] = [name, call].map((text) => text.normalize("NFC"));
    // Nothing is suggested for a name that is already there in full.
    if (expected && fitting([{ id: 1, name: person }], typed).length) return "suggested";
    return caseFolded(person) === caseFolded(typed);
  },

  mention_starts: (text) => mentionIn(`${text.normalize("NFC")}Zo`)?.typed === "Zo",

  /** What the server found is shown. */
  people_found: ({ name, text }, expected) => expected && rank(name, text) !== null,

  levels: (row) => ({ level: levelOf(row), quiet: !notifiableCount(row) }),

  sidebar_rows({ conversation, open }, expected) {
    const wanted = new DOMParser().parseFromString(expected, "text/html").body.firstElementChild;
    // Scripts add the dot of people who are online afterwards.
    const badge = wanted.querySelector(".presence");
    badge?.replaceWith(badge.firstElementChild);
    const current = open ? conversation.id : null;
    const { kind } = conversation;
    const before = { ...conversation, name: "Before", unread: 9, unread_more: true, mentions: [3] };
    const changed = { archived: !conversation.archived, access: "open", level: "nothing" };
    const found = {
      drawn: sidebarRow([conversation], current),
      updated: sidebarRow([{ ...before, ...(kind === "group" && changed) }, conversation], current),
    };
    const wrong = Object.entries(found).filter(([, row]) => normalised(row) !== normalised(wanted));
    return wrong.length ? wrong.map(([name, row]) => ({ [name]: normalised(row) })) : expected;
  },

  unread(given) {
    const messages = messagesOf(given);
    const nothing = { id: 7, kind: given.kind, version: 0, last_seq: 0, unread: 0, unread_more: false };
    const list = new ConversationList({ me: ME, rows: [] });
    list.setCounts([{ ...nothing, last_read_seq: given.read, mentions: [] }]);
    // Those that are deleted arrive with their text first.
    for (const message of messages) receive(list, { ...message, deleted_at: null });
    for (const message of messages) {
      if (message.deleted_at) receive(list, { ...message, version: message.version + messages.length });
    }
    const page = { messages, position: messages.length, has_older: false, has_newer: false };
    const first = new Store({ me: ME, page }).firstUnread(given.read);
    const { unread, unread_more: more, mentions } = list.get(7);
    return { unread, more, mentions, first: first && first.seq <= given.read + WINDOW ? first.seq : null };
  },

  read_receipts({ kind, seq }, { participants }) {
    const presence = new Presence({ here: [], members: participants });
    if (!presence.hasReaders) return { participants, text: null, title: null };
    const seen = presence.seenBy(seq);
    return { participants, text: receiptText(seen, kind), title: seen.names.join(", ") };
  },

  online: ({ names }) => onlineSummary(names),

  counts({ of, number, more = "" }) {
    return tn(of === "people" ? "people" : "new", number, { n: `${number}${more}` });
  },

  notice_sentences({ kind, author, data }, text) {
    return noticeText({ kind, author: author && { name: author }, notice: { text, data } });
  },

  timelines({ language, zone, now, messages, new: firstUnread }) {
    const times = new Times({ zone, language });
    const view = new MessageView({ me: { id: ME }, times, permissions: {} });
    const inner = element("div");
    const rows = messages.map((message) => view.draw(messageOf(message)));
    inner.append(...rows);
    rows
      .find(({ dataset }) => dataset.seq === String(firstUnread))
      ?.before(fromTemplate("new-line-template"));
    const realNow = Date.now;
    Date.now = () => Date.parse(now);
    new Days({ inner, times }).arrange(rows);
    Date.now = realNow;
    return [...inner.children].map(inShort);
  },

  /**
   * The server's row, the script's, and both after the script has updated them, must be the same.
   */
  message_rows({ reader, message }, expected) {
    const times = new Times(reader);
    const { id, archived } = reader;
    const view = new MessageView({ me: { id }, times, permissions: { archived } });
    const { body: page } = new DOMParser().parseFromString(expected, "text/html");
    const drawn = document.importNode(page.firstElementChild, true);
    view.prepare(drawn, message.created_at);
    const wanted = normalised(drawn);
    const found = {
      drawn: view.draw(message),
      updated: update(view, view.draw(beforeChanges(message)), message),
      "updated from the server's": update(view, drawn, message),
    };
    const wrong = Object.entries(found).filter(([, row]) => normalised(row) !== wanted);
    return wrong.length ? wrong.map(([name, row]) => ({ [name]: normalised(row), wanted })) : expected;
  },

  constants(name, expected) {
    if (name === "MENTION_REACH") return mentionIn(`@${"x".repeat(expected)}`)?.typed.length;
    if (!(name in CONSTANTS || name in AFTER_CLOSE)) throw new Error(`${name} is not known here`);
    if (name in AFTER_CLOSE && afterClose(expected) !== AFTER_CLOSE[name]) return afterClose(expected);
    return name in CONSTANTS ? CONSTANTS[name] : expected;
  },
};

const CONSTANTS = {
  SUBPROTOCOL,
  CLIENT_FRAMES: CLIENT_FRAMES.toSorted(),
  CLOSE_SIGNED_OUT: SIGNED_OUT,
  CLOSE_ACCOUNT_CLOSED: ACCOUNT_CLOSED,
  CLOSE_TOO_MANY: TOO_MANY_SOCKETS,
  UNREAD_WINDOW: WINDOW,
};
const AFTER_CLOSE = {
  CLOSE_RESTART: "reconnect",
  CLOSE_INTERNAL: "reconnect",
  CLOSE_TOO_SLOW: "reconnect",
  CLOSE_UNAUTHENTICATED: "renew",
  CLOSE_SLOW_DOWN: "wait",
  CLOSE_BAD_CLIENT: "stop",
  CLOSE_SIGNED_OUT: "stop",
  CLOSE_ACCOUNT_CLOSED: "stop",
  CLOSE_TOO_MANY: "stop",
};

loadTemplates(TEMPLATES);

/** Return what differs, as lines, in the cases of this page's language. */
export function differences(rule, cases) {
  const language = document.documentElement.lang;
  return cases
    .filter(({ input }) => (input?.language ?? input?.reader?.language ?? "en") === language)
    .map(({ input, expected }) => [input, expected, RULES[rule](input, expected)])
    .filter(([, expected, found]) => JSON.stringify(found) !== JSON.stringify(expected))
    .map((each) => `${rule}: ${each.map((value) => JSON.stringify(value)).join("\n  ")}`);
}

export const NAMES = Object.keys(RULES);

function messagesOf({ entries }) {
  const all = entries.flatMap((entry) => Array(entry.times ?? 1).fill(entry));
  const idOf = (name) => (name === "me" ? ME : OTHER);
  return all.map(({ by, kind = "text", deleted, mentions = [] }, index) => ({
    id: 100 + index,
    seq: index + 1,
    version: index + 1,
    kind,
    author: { id: idOf(by), name: by },
    mentions: deleted ? [] : mentions.map(idOf),
    deleted_at: deleted ? "2026-11-29T12:00:00.000Z" : null,
  }));
}

/** `message`: [seq, author's id, moment, kind]. */
function messageOf([seq, by, at, kind = "text"]) {
  return {
    id: seq,
    seq,
    kind,
    author: by && { id: by, name: `P${by}`, hue: 0, picture: null },
    body: "",
    html: "",
    notice: kind === "text" ? null : { text: "", data: {} },
    mentions: [],
    reply_to: null,
    created_at: at,
    edited_at: null,
    deleted_at: null,
    reactions: [],
  };
}

function inShort(entry) {
  if (entry.matches(".day")) return `${entry.dataset.day}: ${entry.textContent}`;
  if (entry.matches(".new-line")) return "New";
  const goesOn = entry.matches(".message--continued") ? ", continued" : "";
  return `#${entry.dataset.seq} ${entry.querySelector("time").textContent}${goesOn}`;
}

/** The message as it could have been before it was edited, reacted to and deleted. */
function beforeChanges(message) {
  if (message.kind !== "text") return message;
  const words = { body: "Before", html: "<p>Before</p>", mentions: [] };
  return { ...message, ...words, edited_at: null, deleted_at: null, reactions: [] };
}

function update(view, row, message) {
  view.update(row, message);
  return row;
}

/** The HTML of an element with its attributes and classes in order. */
function normalised(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return node.textContent;
  const attributes = [...node.attributes].map(({ name, value }) => {
    const shown = name === "class" ? [...node.classList].sort().join(" ") : value;
    return ` ${name}=${JSON.stringify(shown)}`;
  });
  const inside = [...node.childNodes].map(normalised).join("");
  return `<${node.localName}${attributes.sort().join("")}>${inside}</${node.localName}>`;
}

/** The row of a conversation in the sidebar, after these states of it. */
function sidebarRow(states, current) {
  const place = element("ul");
  place.id = "conversations";
  document.body.append(place);
  const conversationList = new ConversationList({ me: ME, rows: [] });
  new Sidebar({ conversationList, current }).connect();
  for (const state of states) conversationList.setCounts([state]);
  place.remove();
  const row = place.firstElementChild;
  row.querySelector("[data-person]")?.removeAttribute("data-person");
  return row;
}

function receive(list, message) {
  list.applyMessages({ conversation: 7, version: message.version, messages: [message] });
}
