// The rules of tests/golden/rules.py with the scripts of the page. tests/js/golden.test.js compares the results.

import { ConversationList, levelOf, notifiableCount, WINDOW } from "chatty/chat/conversation_list.js";
import { Presence } from "chatty/chat/presence.js";
import {
  ACCOUNT_CLOSED,
  afterClose,
  SIGNED_OUT,
  SUBPROTOCOL,
  TOO_MANY_SOCKETS,
} from "chatty/chat/protocol.js";
import { Store } from "chatty/chat/store.js";
import { PIECE_MAX } from "chatty/chat/uploads.js";
import { isOnlyCustomEmoji, splitNames } from "chatty/lib/custom_emoji.js";
import { labelOf, sizeText } from "chatty/lib/files.js";
import { caseFolded, folded, rank, WORD } from "chatty/lib/match.js";
import { initials } from "chatty/lib/people.js";
import { bodyLength, isBlank, isLong, isOnlyEmoji, tidyBody } from "chatty/lib/text.js";
import { Times } from "chatty/lib/times.js";
import { TEMPLATES } from "chatty/templates.js";
import { Days } from "chatty/views/days.js";
import { draw as drawEmoji } from "chatty/views/custom_emoji.js";
import { element, fromTemplate, loadTemplates, slot } from "chatty/views/dom.js";
import { connect as connectFiles } from "chatty/views/files.js";
import { filesPreview } from "chatty/views/files_preview.js";
import { noticeText, tn } from "chatty/views/i18n.js";
import { callsEveryone } from "chatty/lib/mentions.js";
import { fitting, mentionIn } from "chatty/views/member_source.js";
import { MessageView } from "chatty/views/message.js";
import { arrange, showPeople } from "chatty/views/notices.js";
import { wordsOf } from "chatty/views/permissions.js";
import { showPin } from "chatty/views/pins.js";
import { onlineSummary } from "chatty/views/presence.js";
import { facesOf, receiptText } from "chatty/views/seen.js";
import { SidebarList } from "chatty/views/sidebar_list.js";
import { isQuiet } from "chatty/views/quiet_hours.js";
import { isWithOthers } from "chatty/views/people_to_talk_to.js";
import { strengthOf } from "chatty/views/strength.js";

const BODY_MAX = 10_000;
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

  word_characters: (text) => [...text].map((each) => new RegExp(`^${WORD}$`, "u").test(each)),

  only_emoji: isOnlyEmoji,

  custom_emoji({ text, known }) {
    const parts = splitNames(text, new Set(known));
    return { parts, only: isOnlyCustomEmoji(parts) };
  },

  long_bodies: (parts) =>
    isLong(parts.map((part) => (Array.isArray(part) ? part[0].repeat(part[1]) : part)).join("")),

  passwords({ password, name, email }, expected) {
    const { problems, level } = strengthOf(password, { least: 8, own: [email, name] });
    if (expected.includes("common") && level < 3) problems.push("common");
    return problems.sort();
  },

  initials,

  same_names({ name, call }, expected) {
    const [person, typed] = [name, call].map((text) => text.normalize("NFC"));
    // Nothing is suggested for a name that is already there in full.
    if (expected && fitting([{ id: 1, name: person }], typed).length) return "suggested";
    return caseFolded(person) === caseFolded(typed);
  },

  mention_starts: (text) => mentionIn(`${text.normalize("NFC")}Zo`)?.typed === "Zo",

  /** Of people who are mentioned, only what is suggested. */
  mentioned_people({ text, names, suggested }, expected) {
    const people = names.map((name, id) => ({ id, name }));
    const found = mentionIn(text);
    const offered = found ? fitting(people, found.typed).map(({ name }) => name) : [];
    return String(offered) === String(suggested) ? expected : offered;
  },

  everyone_called: ({ text, names }) => callsEveryone(text, names),

  loose_names: folded,

  /** What the server found is shown. */

  people_found: ({ name, text }, expected) => expected && rank(name, text) !== null,

  levels: (row) => ({ level: levelOf(row), quiet: !notifiableCount(row) }),

  quiet_hours: ({ at, ...hours }) => isQuiet(hours, at),

  can(row, expected) {
    const { words, in_archive } = expected;
    return { ...expected, can: wordsOf(row, { permissions: { [row.role]: words }, in_archive }) };
  },

  async sidebar_rows({ conversation, open }, expected) {
    const [section, html] = expected.split(/: (.*)/s);
    const wanted = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
    // Scripts add the dot of people who are online afterwards.
    const badge = wanted.querySelector(".presence");
    badge?.replaceWith(badge.firstElementChild);
    const current = open ? conversation.id : null;
    const { kind } = conversation;
    const before = { ...conversation, name: "Before", unread: 9, unread_more: true, mentions: [3] };
    const changed = { archived: !conversation.archived, access: "open", level: "nothing", favourite: true };
    const found = {
      drawn: await sidebarRow([conversation], current),
      updated: await sidebarRow([{ ...before, ...(kind === "group" && changed) }, conversation], current),
    };
    const isWrong = (row) =>
      row.dataset.section !== section || normalised(row.firstChild) !== normalised(wanted);
    const wrong = Object.entries(found).filter(([, row]) => isWrong(row));
    return wrong.length
      ? wrong.map(([name, row]) => ({ [name]: normalised(row), wanted: normalised(wanted) }))
      : expected;
  },

  async short_moments({ at, now, zone, format = "23" }) {
    const conversation = { id: 7, kind: "group", name: "Garden", last_text_at: at, unread: 0 };
    const row = await sidebarRow([conversation], null, { now, zone, cycle: `h${format}` });
    return slot(row, "time").textContent;
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
    const presence = new Presence({ me: 0, here: [], members: participants });
    if (!presence.hasReaders) return { participants, text: null, title: null, faces: null, more: null };
    const seen = presence.seenBy(seq);
    const { shown, more } = facesOf(seen);
    const faces = shown.map(({ initial, hue }) => `${initial}${hue}`);
    return { participants, text: receiptText(seen, kind), title: seen.names.join(", "), faces, more };
  },

  online: ({ names }) => onlineSummary(names),

  file_cards: ({ name, size, language }) => ({
    label: labelOf(name),
    size: sizeText(size, language),
  }),

  file_previews({ files }) {
    const found = filesPreview({ files: files.map(([kind, type, duration]) => ({ kind, type, duration })) });
    return found && [found.icon, found.text];
  },

  with_others({ kind, unnamed, other, reader }) {
    return isWithOthers({ kind, unnamed, other: other && { id: other } }, reader);
  },

  counts({ of, number, more = "" }) {
    return tn(of === "people" ? "people" : "new", number, { n: `${number}${more}` });
  },

  notice_sentences({ kind, author, data }, text) {
    return noticeText({ kind, author: author && { name: author }, notice: { text, data } });
  },

  timelines({ language, zone, format, now, messages, new: firstUnread }) {
    const times = new Times({ zone, language, cycle: format && `h${format}` });
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

  notice_runs({ notices }) {
    const times = new Times({ zone: "UTC" });
    const view = new MessageView({ me: { id: ME }, times, permissions: {} });
    const inner = element("div");
    const messages = new Map();
    for (const given of notices) {
      if (given === "New") {
        inner.append(fromTemplate("new-line-template"));
        continue;
      }
      const [kind, author, name, day] = given;
      const id = messages.size + 1;
      const data = name ? { name, user: numberOf(name) } : {};
      const at = `2026-11-${29 + day}T12:00:00.000Z`;
      const by = { id: numberOf(author), name: author };
      messages.set(id, { id, seq: id, kind, author: by, created_at: at, notice: { text: "", data } });
      inner.append(view.draw(messages.get(id)));
    }
    const rows = [...inner.querySelectorAll(".notice")];
    new Days({ inner, times }).arrange(rows);
    arrange(inner, ({ dataset }) => messages.get(Number(dataset.seq)));
    return rows.map((row) => {
      if (row.matches(".notice--folded")) return "";
      const shown = row.querySelector(".notice__summary") ?? row.querySelector(".notice__text");
      for (const link of shown.querySelectorAll(".notice__person")) link.replaceWith(`[${link.textContent}]`);
      return shown.textContent;
    });
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
      drawn: withViews(view.draw(message)),
      updated: withViews(update(view, withViews(view.draw(beforeChanges(message))), message)),
      "updated from the server's": withViews(update(view, withViews(drawn), message)),
    };
    for (const row of Object.values(found)) showOthers(row, message, id);
    const wrong = Object.entries(found).filter(([, row]) => normalised(row) !== wanted);
    return wrong.length ? wrong.map(([name, row]) => ({ [name]: normalised(row), wanted })) : expected;
  },

  /** Late, twice, out of order, with gaps: the reference client of the documents has the same cases. */
  event_orders({ page: [position, rows], events }) {
    const pageOf = (at, messages) => ({
      position: at,
      messages: messages.map(messageOfEvent),
      has_older: false,
      has_newer: false,
    });
    const store = new Store({ me: ME, page: pageOf(position, rows) });
    for (const [kind, ...about] of events) {
      if (kind === "message") {
        store.applyMessage({ version: about[0][1], message: messageOfEvent(about[0]) });
      } else if (kind === "synced") {
        const [from, version, messages] = about;
        store.catchUp({ from, version, messages: messages.map(messageOfEvent) });
      } else store.replace(pageOf(...about));
    }
    return {
      position: store.position,
      behind: store.behind,
      messages: store
        .messages()
        .map((message) => [
          ...eventOf(message, message.deleted_at),
          message.reply_to && eventOf(message.reply_to, message.reply_to.deleted),
        ]),
    };
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
  CLOSE_SIGNED_OUT: SIGNED_OUT,
  CLOSE_ACCOUNT_CLOSED: ACCOUNT_CLOSED,
  CLOSE_TOO_MANY: TOO_MANY_SOCKETS,
  UNREAD_WINDOW: WINDOW,
  UPLOAD_PIECE_MAX: PIECE_MAX,
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
export async function differences(rule, cases) {
  const language = document.documentElement.lang;
  const found = [];
  for (const { input, expected } of cases) {
    if ((input?.language ?? input?.reader?.language ?? "en") !== language) continue;
    found.push([input, expected, await RULES[rule](input, expected)]);
  }
  return found
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
    mentions: deleted ? [] : mentions.filter((name) => name !== "all").map(idOf),
    mentions_all: !deleted && mentions.includes("all"),
    deleted_at: deleted ? "2026-11-29T12:00:00.000Z" : null,
  }));
}

/** `message`: [seq, author's id, moment, kind]. */
/** A message of `event_orders`: [id, version, text, quote]. Deleted ones have no text. */
function messageOfEvent([id, version, text, quoted]) {
  return {
    ...quotedEvent([id, version, text]),
    kind: "text",
    key: null,
    mentions: [],
    deleted_at: text === null ? "2026-11-29T12:00:00.000Z" : null,
    reply_to: quoted && { ...quotedEvent(quoted), deleted: quoted[2] === null },
  };
}

function quotedEvent([id, version, text]) {
  return { id, seq: id, version, author: { id: OTHER, name: "Bob" }, excerpt: text ?? "" };
}

function eventOf({ id, version, excerpt }, deleted) {
  return [id, version, deleted ? null : excerpt];
}

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

/** Starts the views of its files and custom emoji, as the loader does. */
function withViews(row) {
  const box = row.querySelector(".files");
  if (box && !Object.getOwnPropertyDescriptor(box, "files")?.set) connectFiles(box, {});
  drawEmoji(row);
  return row;
}

/** What views do that are started for parts of the row. */
function showOthers(row, message, me) {
  const mark = row.querySelector(".message__pin");
  if (mark) showPin(mark, message, me);
  if (message.notice) showPeople(row, message);
}

/** An id for someone with this name. */
function numberOf(name) {
  return [...name].reduce((sum, each) => sum + each.codePointAt(0), 0);
}

/** The message as it could have been before it was edited, reacted to and deleted. */
function beforeChanges(message) {
  if (message.kind !== "text") return message;
  const words = { body: "Before", html: "<p>Before</p>", mentions: [], mentions_all: false };
  const files = message.files?.map((file) => ({ ...file, thumbnail: null, animated: !file.animated }));
  const changes = { edited_at: null, deleted_at: null, reactions: [], pinned: undefined };
  return { ...message, ...words, ...(files && { files }), ...changes };
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

const NOON = { now: "2026-11-29T12:00:00Z", zone: "UTC", cycle: undefined };

/** The section with only the row of a conversation, after these states of it. */
async function sidebarRow(states, current, { now, zone, cycle } = NOON) {
  const sections = ["favourites", "conversations", "direct", "archive"].map((name) => {
    const section = element("details", "", element("ul"));
    section.dataset.section = name;
    return section;
  });
  const place = element("div", "", ...sections);
  place.id = "conversations";
  document.body.append(place);
  const conversationList = new ConversationList({ me: ME, rows: [] });
  const list = new SidebarList({
    conversationList,
    me: { id: ME, time_zone: zone, hour_cycle: cycle },
    data: { conversation: current && { id: current } },
  });
  list.connect();
  const realNow = Date.now;
  Date.now = () => Date.parse(now);
  for (const state of states) {
    conversationList.setCounts([state]);
    list.update(state);
  }
  // It loads what it needs for messages that only have files.
  if (states.at(-1).last?.files) await new Promise((done) => setTimeout(done, 100));
  Date.now = realNow;
  place.remove();
  const row = place.querySelector("li");
  const { section } = row.closest("details").dataset;
  row.querySelector("[data-person]")?.removeAttribute("data-person");
  const found = element("div", "", row);
  found.dataset.section = section;
  return found;
}

function receive(list, message) {
  list.applyMessages({ conversation: 7, version: message.version, messages: [message] });
}
