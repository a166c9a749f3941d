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
import { noticeText, tn } from "chatty/views/i18n.js";
import { fitting, mentionIn } from "chatty/views/mentions.js";
import { onlineSummary, receiptText } from "chatty/views/presence.js";

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

  constants(name, expected) {
    if (name === "MENTION_REACH") return mentionIn(`@${"x".repeat(expected)}`)?.typed.length;
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

/** Return what differs, as lines, in the cases of this page's language. */
export function differences(rule, cases) {
  const language = document.documentElement.lang;
  return cases
    .filter(({ input }) => (input?.language ?? "en") === language)
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

function receive(list, message) {
  list.applyMessages({ conversation: 7, version: message.version, messages: [message] });
}
