import { Chat } from "chatty/chat/chat.js";
import { ConversationChat } from "chatty/chat/conversation_chat.js";
import { ConversationList } from "chatty/chat/conversation_list.js";
import { Sender } from "chatty/chat/sender.js";
import { Emitter } from "chatty/lib/emitter.js";
import { equal, pause, until, withClocks } from "tests/assert.js";

const ME = 1;
const HERE = 7;

/** A fake socket: open from the start, and records sent frames. */
class FakeSocket extends Emitter {
  online = true;
  state = "online";
  sent = [];

  connect() {}

  disconnect() {}

  send(frame) {
    this.sent.push(frame);
    return true;
  }
}

/** A fake store with 20 messages, all by others. */
class Pages extends Emitter {
  position = 20;

  unreadAfter(seq) {
    return 20 - seq;
  }
}

function open(chat, given) {
  return chat.open((shared) => new ConversationChat({ ...shared, ...given }));
}

/** A page with conversation 7 open, read up to 10 of 20, and helpers to inspect its read marks. */
function opened({ rest } = {}) {
  const socket = new FakeSocket();
  const store = new Pages();
  const conversationList = new ConversationList({
    me: ME,
    rows: [{ id: HERE, unread: 10, unread_more: false }],
  });
  const chat = new Chat({ me: ME, epoch: "e", socket, rest, conversationList });
  const sender = new Sender({ me: ME, connection: chat.connection, rest, t: (name) => name });
  chat.use(sender);
  chat.connect();
  const here = open(chat, { id: HERE, lastRead: 10, store });
  const marked = [];
  here.on("read_mark", ({ seq }) => marked.push(seq));
  const hear = (seq) => socket.emit("frame", { type: "read", conversation: HERE, user: ME, seq });
  const told = () => socket.sent.filter(({ type }) => type === "read").map(({ seq }) => seq);
  const welcome = (seq) => {
    const here = { id: HERE, version: 20, last_seq: 20, last_read_seq: seq, unread: 20 - seq };
    socket.emit("hello", { user: { id: ME }, epoch: "e", conversations: [here] });
  };
  const unread = () => conversationList.get(HERE).unread;
  return { chat, sender, here, socket, store, conversationList, marked, hear, told, welcome, unread };
}

export async function test_messages_read_before_hello_stay_read_and_are_sent_afterwards() {
  const { chat, here, marked, hear, told, welcome, unread } = opened();
  here.markRead(15);
  welcome(10);
  equal(unread(), 5);
  await until(() => told().length === 1);
  hear(15);
  equal([told(), unread(), marked], [[15], 5, []]);
  chat.disconnect();
}

export async function test_hello_applies_a_read_mark_moved_back_while_offline() {
  const { chat, marked, hear, told, welcome, unread } = opened();
  welcome(10);
  hear(15);
  welcome(4);
  equal([marked, unread()], [[15, 4], 16]);
  await pause(50);
  equal(told(), []);
  chat.disconnect();
}

export async function test_late_echo_of_my_read_mark_is_ignored() {
  const { chat, here, marked, hear, told } = opened();
  here.markRead(11);
  await until(() => told().length === 1);
  here.markRead(12);
  hear(11);
  equal(marked, []);
  await until(() => told().length === 2);
  equal(told(), [11, 12]);
  chat.disconnect();
}

/** A fake REST client that returns the conversation with my read mark at `server.seq`. */
function asked(server) {
  return { get: async () => numbers(server.seq) };
}

export async function test_read_marks_moved_elsewhere_are_applied_in_both_directions() {
  const server = { seq: 4 };
  const { chat, marked, hear } = opened({ rest: asked(server) });
  hear(15);
  hear(4);
  await until(() => marked.length === 2);
  server.seq = 6;
  hear(6);
  equal(marked, [15, 4, 6]);
  chat.disconnect();
}

export async function test_mark_moved_back_cancels_a_pending_read() {
  const { chat, here, marked, hear, told } = opened({ rest: asked({ seq: 4 }) });
  hear(15);
  here.markRead(16);
  hear(4);
  await until(() => marked.length === 2);
  equal(marked, [15, 4]);
  await pause(500);
  equal(told(), []);
  chat.disconnect();
}

export async function test_late_read_frame_does_not_lower_the_mark() {
  const { chat, here, marked, hear, welcome, told, unread } = opened({ rest: asked({ seq: 15 }) });
  welcome(15);
  hear(12); // sent before the hello, or by another process
  here.markRead(16);
  hear(13);
  await until(() => told().length === 1);
  equal([told(), marked, unread()], [[16], [15], 4]);
  chat.disconnect();
}

export async function test_late_read_frame_does_not_undo_a_mark_moved_back() {
  const { chat, marked, hear, welcome, unread } = opened({ rest: asked({ seq: 4 }) });
  welcome(12);
  hear(4);
  await until(() => marked.at(-1) === 4);
  hear(20); // sent by another process before the mark was moved back
  await until(() => marked.length === 4);
  equal([marked, unread()], [[12, 4, 20, 4], 16]);
  chat.disconnect();
}

export async function test_read_marks_are_sent_while_messages_keep_arriving() {
  const { chat, here, told } = opened();
  for (let seq = 11; seq <= 20 && !told().length; seq += 1) {
    here.markRead(seq);
    await pause(100);
  }
  equal(told().length, 1);
  chat.disconnect();
}

const numbers = (seq) => ({ id: HERE, version: 20, last_seq: 20, last_read_seq: seq, unread: 20 - seq });

export async function test_outdated_recount_is_ignored_and_requested_again() {
  const answers = [];
  const rest = { get: () => new Promise((resolve) => answers.push(resolve)) };
  const { chat, conversationList, marked, hear, welcome, unread } = opened({ rest });
  welcome(10);
  conversationList.emit("recount", { id: HERE });
  await until(() => answers.length === 1);
  hear(20);
  answers[0](numbers(10));
  await until(() => answers.length === 2);
  equal([unread(), marked], [0, [20]]);
  answers[1](numbers(20));
  await pause(20);
  equal([unread(), marked, answers.length], [0, [20], 2]);
  chat.disconnect();
}

export async function test_hello_applies_a_higher_read_mark() {
  const { chat, here, conversationList, marked, told, welcome } = opened();
  welcome(10);
  welcome(18);
  here.markRead(15);
  await pause(20);
  equal([marked, conversationList.get(HERE).unread, told()], [[18], 2, []]);
  chat.disconnect();
}

export async function test_recounts_are_requested_while_messages_keep_arriving_and_retried_after_errors() {
  const asked = [];
  const refuse = () =>
    Promise.reject(Object.assign(new Error(), { retry: true, status: 503, retryAfter: 0 }));
  const rest = { get: (path) => (asked.push(path) < 2 ? refuse() : Promise.resolve(numbers(10))) };
  const { chat, conversationList, welcome } = opened({ rest });
  welcome(10);
  for (let count = 0; count < 12 && asked.length < 2; count += 1) {
    conversationList.emit("recount", { id: HERE });
    await pause(100);
  }
  equal(asked.length, 2);
  chat.disconnect();
}

export async function test_content_is_sent_whole_by_socket_and_by_rest() {
  const posted = [];
  const rest = { post: async (path, given) => posted.push([path, given]) && { id: 1, seq: 2, version: 3 } };
  const { chat, sender, socket, welcome } = opened({ rest });
  welcome(10);
  const deliver = sender.createDeliver();
  const content = { body: "Hi", reply_to: 5, mood: "glad" };
  const record = { ...content, content, key: "k", conversation: 8, failure: null, order: 1 };
  const sent = deliver(record);
  equal(socket.sent.at(-1), { ...content, type: "send", conversation: 8, key: "k" });
  socket.emit("frame", { type: "sent", key: "k", id: 1, seq: 2, version: 3 });
  await sent;
  // A record of an earlier version.
  const former = {
    key: "old",
    conversation: 8,
    body: "Ho",
    reply_to: null,
    failure: null,
    order: 2,
    scope: "s",
  };
  const sentFormer = deliver(former);
  const frame = { body: "Ho", reply_to: null, type: "send", conversation: 8, key: "old" };
  equal(socket.sent.at(-1), frame);
  socket.emit("frame", { type: "sent", key: "old", id: 2, seq: 3, version: 4 });
  await sentFormer;
  socket.online = false;
  await deliver(record);
  equal(posted, [["conversations/8/messages/", { ...content, key: "k" }]]);
  chat.disconnect();
}

export async function test_disconnected_page_starts_nothing_more() {
  let answer;
  const rest = { get: () => new Promise((resolve) => (answer = resolve)) };
  const { chat, here, socket, store, conversationList, welcome } = opened({ rest });
  welcome(10);
  socket.online = false;
  socket.state = "stopped";
  socket.emit("status", {}); // polls from now on
  conversationList.emit("recount", { id: HERE });
  await until(() => answer);
  here.markRead(18); // the answer is older, so this would be sent again
  chat.disconnect(); // sends the mark
  const sent = socket.sent.length;
  const started = [];
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (...given) => started.push(given);
  try {
    answer({ id: HERE, version: 20, last_seq: 20, last_read_seq: 10, unread: 10 });
    conversationList.emit("recount", { id: HERE });
    store.behind = true;
    store.emit("change", {});
    socket.emit("status", {});
    for (let turn = 0; turn < 10; turn += 1) await null;
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  equal([started, socket.sent.length], [[], sent]);
}

export async function test_mark_read_just_before_leaving_is_sent() {
  const { chat, here, told, welcome } = opened();
  welcome(10);
  here.markRead(15);
  equal(told(), []);
  open(chat, { id: 8, lastRead: 0, store: new Pages() });
  equal(told(), [15]);
  chat.disconnect();
}

/** A page that has read up to 15 of its conversation while offline, and has closed it. */
function leftOffline() {
  const page = opened();
  const { chat, here, socket, welcome } = page;
  welcome(10);
  const { send } = socket;
  socket.send = () => false;
  here.markRead(15);
  chat.close();
  socket.send = send;
  return page;
}

export async function test_mark_of_a_conversation_left_offline_is_sent_when_the_connection_is_back() {
  const { chat, conversationList, told, welcome } = leftOffline();
  welcome(10);
  equal([told(), conversationList.get(HERE).last_read_seq], [[15], 15]);
  chat.disconnect();
}

export async function test_mark_of_a_conversation_left_offline_is_dropped_if_it_was_moved_elsewhere() {
  const { chat, told, welcome, unread } = leftOffline();
  welcome(4);
  equal([told(), unread()], [[], 16]);
  chat.disconnect();
}

export async function test_frames_go_to_the_conversation_that_is_open() {
  const { chat, here, socket, marked } = opened();
  const typing = [];
  here.on("typing", () => typing.push("here"));
  const there = open(chat, { id: 8, lastRead: 0, store: new Pages() });
  there.on("typing", ({ user }) => typing.push(user.id));
  const frame = { type: "typing", user: { id: 2 } };
  socket.emit("frame", { ...frame, conversation: HERE });
  socket.emit("frame", { ...frame, conversation: 8 });
  socket.emit("frame", { type: "read", conversation: HERE, user: ME, seq: 18 });
  equal([typing, marked], [[2], []]);
  chat.disconnect();
}

export async function test_changes_between_the_page_and_its_opening_are_requested() {
  const { chat, socket, welcome } = opened();
  welcome(10);
  socket.sent.length = 0;
  const store = Object.assign(new Pages(), { position: 17 }); // the list knows version 20
  open(chat, { id: HERE, lastRead: 10, store });
  equal(socket.sent, [{ type: "sync", conversation: HERE, version: 17 }]);
  chat.disconnect();
}

export function test_typing_is_sent_again_after_the_clock_was_set_back() {
  const { here, socket } = opened();
  const sent = () => socket.sent.filter(({ type }) => type === "typing").length;
  withClocks((advance) => {
    here.sendTyping();
    advance({ ticks: 2_000, clock: 2_000 });
    here.sendTyping();
    equal(sent(), 1);
    advance({ ticks: 2_000, clock: 2_000 - 3_600_000 });
    here.sendTyping();
    equal(sent(), 2);
  });
}
