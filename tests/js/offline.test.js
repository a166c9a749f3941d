// What is kept for reading offline: the copy of a conversation, and the database it is in.

import { OfflineCopy, changeCopy } from "chatty/chat/offline_copy.js";
import { claim, clear, confirmCopies, readAll, update } from "chatty/chat/offline_storage.js";
import { ConversationList } from "chatty/chat/conversation_list.js";
import { Emitter } from "chatty/lib/emitter.js";
import { chance, equal, until } from "tests/assert.js";
import { Server } from "tests/server.js";

const ME = 1;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** What a server with `count` messages returns for the latest page. */
function historyOf(server) {
  return structuredClone(server.history({ limit: 50 }));
}

const bodies = (copy) => copy.history.messages.map(({ body }) => body);

function serverWith(count) {
  const server = new Server();
  for (let number = 0; number < count; number += 1) server.create();
  return server;
}

// --- the copy ---

export function test_copy_has_the_latest_fifty_messages() {
  const server = serverWith(3);
  let copy = changeCopy(ME, { id: 7, known: null, open: historyOf(server), now: 5 });
  equal([copy.id, copy.at, copy.history.messages.length], [7, 5, server.messages.length]);
  for (let number = 0; number < 60; number += 1) {
    server.create();
    const { message } = server.events.at(-1);
    copy = changeCopy(ME, { id: 7, known: copy, messages: [structuredClone(message)] });
  }
  equal(copy.history.messages.length, 50);
  equal(copy.history.messages.at(-1).seq, server.messages.length);
  equal([copy.history.position, copy.history.has_older], [server.version, true]);
}

export function test_copy_without_changes_is_not_stored_again() {
  const server = serverWith(3);
  const known = changeCopy(ME, { id: 7, known: null, open: historyOf(server), now: 5 });
  equal(changeCopy(ME, { id: 7, known, open: historyOf(server), now: 9 }) === known, true);
  equal(changeCopy(ME, { id: 7, known, now: 9 }) === known, true);
}

export function test_messages_of_a_conversation_without_a_copy_are_not_enough_for_one() {
  const server = serverWith(1);
  const messages = [server.events.at(-1).message];
  equal(changeCopy(ME, { id: 7, known: null, messages }), null);
}

export function test_copy_that_missed_a_message_stays_behind_until_it_has_caught_up() {
  const server = serverWith(2);
  let copy = changeCopy(ME, { id: 7, known: null, open: historyOf(server) });
  const from = copy.history.position;
  server.create();
  server.create();
  const { message } = server.events.at(-1);
  copy = changeCopy(ME, { id: 7, known: copy, messages: [structuredClone(message)] });
  equal(copy.history.position, from);
  const changes = { from, version: server.version, messages: server.events.slice(-2).map((e) => e.message) };
  copy = changeCopy(ME, { id: 7, known: copy, fetched: structuredClone(changes) });
  equal([copy.history.position, copy.history.messages.length], [server.version, server.messages.length]);
}

export function test_deleted_message_does_not_come_back_from_a_window_that_is_behind() {
  const server = serverWith(3);
  const before = historyOf(server);
  const [first] = server.messages;
  server.delete(first);
  const known = changeCopy(ME, { id: 7, known: null, open: historyOf(server) });
  const copy = changeCopy(ME, { id: 7, known, open: before });
  equal(bodies(copy)[0], "");
  equal(copy.history.position, server.version);
}

export function test_deleted_message_is_removed_from_quotes() {
  const server = serverWith(1);
  const [quoted] = server.messages;
  server.create({ replyTo: quoted });
  const known = changeCopy(ME, { id: 7, known: null, open: historyOf(server) });
  equal(known.history.messages.at(-1).reply_to.deleted, false);
  server.delete(quoted);
  const messages = [structuredClone(server.events.at(-1).message)];
  const copy = changeCopy(ME, { id: 7, known, messages });
  const quote = copy.history.messages.at(-1).reply_to;
  equal([quote.deleted, quote.excerpt], [true, ""]);
}

export function test_copy_has_no_pictures() {
  const server = serverWith(1);
  const open = historyOf(server);
  open.messages[0].author = { id: 2, name: "Bob", hue: 3, picture: "/pictures/2" };
  const copy = changeCopy(ME, { id: 7, known: null, open });
  equal(copy.history.messages[0].author, { id: 2, name: "Bob", hue: 3, picture: null });
}

export function test_copy_agrees_with_the_server_whatever_was_missed(seed) {
  const random = chance(seed);
  const server = serverWith(5);
  let known = changeCopy(ME, { id: 7, known: null, open: historyOf(server) });
  for (let number = 0; number < 150; number += 1) {
    server.live(random);
    const { message } = structuredClone(server.events.at(-1));
    if (random() < 0.7) known = changeCopy(ME, { id: 7, known, messages: [message] });
    if (random() < 0.1) {
      const fetched = structuredClone(server.since(known.history.position, { limit: 20 }));
      known = changeCopy(ME, { id: 7, known, fetched });
    }
  }
  while (known.history.position < server.version) {
    const fetched = structuredClone(server.since(known.history.position, { limit: 20 }));
    known = changeCopy(ME, { id: 7, known, fetched });
  }
  const plain = ({ author, reply_to: quoted, ...rest }) => [rest, quoted?.excerpt];
  const wanted = server.history({ limit: 50 });
  equal(known.history.messages.map(plain), wanted.messages.map(plain));
}

// --- the database ---

const list = (...ids) => ids.map((id) => ({ id, name: `Room ${id}`, version: 5 }));
const copyOf = (id, at, position = 5) => ({ id, at, history: { messages: [], position } });

async function store(scope, { kept, at, conversations = list(...kept), position = 5 }) {
  const change = (id) => copyOf(id, at, position);
  return update({ scope, ids: kept, kept: new Set(kept), conversations, change, now: at });
}

export async function test_nothing_is_read_before_anything_is_stored() {
  equal(await readAll(), null);
  equal((await indexedDB.databases()).length, 0);
}

export async function test_stored_copies_are_read_with_their_age() {
  await claim("1.e", { user: { id: 1 } });
  await store("1.e", { kept: [7], at: 1_000 });
  await confirmCopies("1.e", 2_000);
  const { at, scope, page, conversations, copies } = await readAll(3_000);
  equal([at, scope, page, conversations.length], [2_000, "1.e", { user: { id: 1 } }, 1]);
  equal(copies.get(7).at, 2_000); // it was still up to date then
}

export async function test_copy_that_is_behind_is_as_old_as_it_was_stored() {
  await claim("1.e", {});
  await store("1.e", { kept: [7], at: 1_000, position: 4 });
  await confirmCopies("1.e", 2_000);
  equal((await readAll(3_000)).copies.get(7).at, 1_000);
}

export async function test_copies_that_are_not_chosen_any_more_are_removed() {
  await claim("1.e", {});
  await store("1.e", { kept: [7, 8], at: 1_000 });
  await store("1.e", { kept: [8], at: 2_000 });
  equal([...(await readAll(3_000)).copies.keys()], [8]);
}

export async function test_another_account_or_epoch_removes_everything() {
  for (const other of ["2.e", "1.f"]) {
    await claim("1.e", {});
    await store("1.e", { kept: [7], at: 1_000 });
    await claim(other, {});
    await store(other, { kept: [], at: 1_000 });
    equal([...(await readAll(2_000)).copies.keys()], []);
  }
}

export async function test_window_of_a_former_owner_stores_nothing() {
  await claim("1.e", {});
  await clear();
  equal(await store("1.e", { kept: [7], at: 1_000 }), null);
  await confirmCopies("1.e", 1_000);
  await claim("2.e", {});
  equal(await store("1.e", { kept: [7], at: 1_000 }), null);
  await store("2.e", { kept: [], at: 1_000 });
  equal([...(await readAll(2_000)).copies.keys()], []);
}

export async function test_reading_does_not_disturb_a_window_that_is_about_to_store() {
  await claim("1.e", {});
  equal(await readAll(), null);
  await store("1.e", { kept: [7], at: 1_000 });
  equal([...(await readAll(2_000)).copies.keys()], [7]);
}

export async function test_everything_is_removed_after_seven_days() {
  await claim("1.e", {});
  await store("1.e", { kept: [7], at: 1_000 });
  equal((await readAll(1_000 + 7 * DAY)).copies.size, 1);
  equal(await readAll(1_001 + 7 * DAY), null);
  equal((await indexedDB.databases()).length, 0);
}

export async function test_single_copy_is_removed_after_seven_days() {
  await claim("1.e", {});
  await store("1.e", { kept: [7], at: 1_000, position: 4 });
  await confirmCopies("1.e", 2 * DAY);
  equal((await readAll(1_001 + 7 * DAY)).copies.size, 0);
  equal((await readAll(2_000)).copies.size, 0); // removed, not only hidden
}

// --- keeping it up to date ---

class FakeChat extends Emitter {
  status = { state: "connecting" };
  here = null;

  hello(conversations) {
    this.status = { state: "online" };
    this.emit("hello", { conversations });
  }
}

function started(rows, rest) {
  const chat = new FakeChat();
  const conversationList = new ConversationList({ me: ME, rows });
  const copy = new OfflineCopy({ me: ME, scope: "1.e", page: {}, chat, conversationList, rest });
  copy.connect();
  const hello = (conversations) => {
    conversationList.setCounts(conversations);
    chat.hello(conversations);
  };
  return { chat, conversationList, copy, hello };
}

const row = (id, more = {}) => ({
  id,
  kind: "group",
  name: `Room ${id}`,
  version: 3,
  last_seq: 3,
  last_read_seq: 3,
  last_text_at: new Date(id * HOUR).toISOString(),
  unread: 0,
  ...more,
});

export async function test_conversations_that_are_not_stored_are_fetched_one_by_one() {
  const asked = [];
  const rest = {
    get: async (path, query) => {
      asked.push([path, query]);
      return { messages: [], position: 3, has_older: false, has_newer: false };
    },
  };
  const { copy, hello } = started([], rest);
  hello([row(1), row(2)]);
  await until(async () => (await readAll())?.conversations.length === 2);
  equal(asked, []); // not at once
  await pauseUntil(() => asked.length === 2);
  // The latest first.
  equal(asked[0], ["conversations/2/messages/", { limit: 50 }]);
  await until(async () => (await readAll()).copies.size === 2);
  await copy.remove();
  equal(await readAll(), null);
}

export async function test_conversation_that_is_not_in_a_hello_any_more_is_removed() {
  const rest = { get: () => new Promise(() => {}) };
  const { chat, copy, hello } = started([], rest);
  const history = { messages: [], position: 3, has_older: false, has_newer: false };
  chat.here = { id: 1, store: fakeStore(history) };
  hello([row(1), row(2)]);
  await until(async () => (await readAll())?.copies.has(1));
  chat.status = { state: "waiting" };
  hello([row(2)]);
  await until(async () => !(await readAll()).copies.has(1));
  equal(
    (await readAll()).conversations.map(({ id }) => id),
    [2],
  );
  await copy.remove();
}

export async function test_at_most_twenty_conversations_are_kept_and_the_open_one() {
  const rest = { get: () => new Promise(() => {}) };
  const rows = Array.from({ length: 30 }, (_, index) => row(index + 1));
  await claim("1.e", {});
  await store("1.e", { kept: rows.map(({ id }) => id), at: Date.now(), position: 3 });
  const { chat, copy, hello } = started([], rest);
  chat.here = { id: 1, store: fakeStore({ messages: [], position: 3 }) };
  hello(rows);
  await until(async () => (await readAll()).copies.size === 20);
  const kept = [...(await readAll()).copies.keys()];
  equal([kept[0], kept[1], kept.at(-1)], [1, 12, 30]);
  equal((await readAll()).conversations.length, 30);
  await copy.remove();
}

function fakeStore({ messages, position }) {
  return { hasNewer: false, hasOlder: false, position, messages: () => messages };
}

/** As until(), for what takes longer. */
async function pauseUntil(truth) {
  for (let tries = 0; !truth() && tries < 5; tries += 1) await until(truth).catch(() => {});
}
