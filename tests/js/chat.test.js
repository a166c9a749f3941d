import { Chat } from "chatty/chat/chat.js";
import { ConversationList } from "chatty/chat/conversation_list.js";
import { Emitter } from "chatty/lib/emitter.js";
import { equal, pause, until } from "tests/assert.js";

const ME = 1;
const HERE = 7;

/** Stands in for the socket: open at once, and remembers what was said. */
class Connection extends Emitter {
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

/** Stands in for the store: it holds all 20 messages, others' words each. */
class Pages extends Emitter {
  position = 20;

  unreadAfter(seq) {
    return 20 - seq;
  }
}

/** A page at conversation 7, read up to 10 of 20, with what it told and what it heard of its mark. */
function opened({ rest } = {}) {
  const connection = new Connection();
  const store = new Pages();
  const conversationList = new ConversationList({
    me: ME,
    rows: [{ id: HERE, unread: 10, unread_more: false }],
  });
  const page = { me: ME, epoch: "e", conversation: HERE, lastRead: 10 };
  const chat = new Chat({ ...page, socket: connection, rest, store, conversationList });
  const marked = [];
  chat.on("read_mark", ({ seq }) => marked.push(seq));
  chat.connect();
  const hear = (seq) => connection.emit("frame", { type: "read", conversation: HERE, user: ME, seq });
  const told = () => connection.sent.filter(({ type }) => type === "read").map(({ seq }) => seq);
  const welcome = (seq) => {
    const here = { id: HERE, version: 20, last_seq: 20, last_read_seq: seq, unread: 20 - seq };
    connection.emit("hello", { user: { id: ME }, epoch: "e", conversations: [here] });
  };
  const unread = () => conversationList.get(HERE).unread;
  return { chat, connection, conversationList, marked, hear, told, welcome, unread };
}

export async function test_what_was_seen_before_the_line_was_there_stays_read_and_is_told() {
  const { chat, marked, hear, told, welcome, unread } = opened();
  chat.read(15);
  welcome(10);
  equal(unread(), 5);
  await until(() => told().length === 1);
  hear(15);
  equal([told(), unread(), marked], [[15], 5, []]);
  chat.disconnect();
}

export async function test_a_mark_set_back_during_an_absence_is_followed() {
  const { chat, marked, hear, told, welcome, unread } = opened();
  welcome(10);
  hear(15);
  welcome(4);
  equal([marked, unread()], [[15, 4], 16]);
  await pause(50);
  equal(told(), []);
  chat.disconnect();
}

export async function test_a_late_answer_to_my_own_mark_takes_nothing_back() {
  const { chat, marked, hear, told } = opened();
  chat.read(11);
  await until(() => told().length === 1);
  chat.read(12);
  hear(11);
  equal(marked, []);
  await until(() => told().length === 2);
  equal(told(), [11, 12]);
  chat.disconnect();
}

/** Stands in for REST: the conversation with my mark where `server.seq` says, each time it is asked. */
function asked(server) {
  return { get: async () => numbers(server.seq) };
}

export async function test_a_mark_set_back_elsewhere_is_followed_and_one_moved_on_too() {
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

export async function test_a_mark_set_back_while_another_is_on_its_way_stays_back() {
  const { chat, marked, hear, told } = opened({ rest: asked({ seq: 4 }) });
  hear(15);
  chat.read(16);
  hear(4);
  await until(() => marked.length === 2);
  equal(marked, [15, 4]);
  await pause(500);
  equal(told(), []);
  chat.disconnect();
}

export async function test_a_mark_that_comes_late_takes_nothing_back() {
  const { chat, marked, hear, welcome, told, unread } = opened({ rest: asked({ seq: 15 }) });
  welcome(15);
  hear(12); // told before the hello was made, or by another process
  chat.read(16);
  hear(13);
  await until(() => told().length === 1);
  equal([told(), marked, unread()], [[16], [15], 4]);
  chat.disconnect();
}

export async function test_a_mark_from_before_it_was_set_back_makes_nothing_read() {
  const { chat, marked, hear, welcome, unread } = opened({ rest: asked({ seq: 4 }) });
  welcome(12);
  hear(4);
  await until(() => marked.at(-1) === 4);
  hear(20); // told by another process before it was set back
  await until(() => marked.length === 4);
  equal([marked, unread()], [[12, 4, 20, 4], 16]);
  chat.disconnect();
}

export async function test_where_words_keep_coming_marks_are_told_all_the_same() {
  const { chat, told } = opened();
  for (let seq = 11; seq <= 20 && !told().length; seq += 1) {
    chat.read(seq);
    await pause(100);
  }
  equal(told().length, 1);
  chat.disconnect();
}

const numbers = (seq) => ({ id: HERE, version: 20, last_seq: 20, last_read_seq: seq, unread: 20 - seq });

export async function test_a_recount_that_is_late_brings_no_stale_number_back() {
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

export async function test_a_mark_further_on_that_a_count_tells_is_followed() {
  const { chat, conversationList, marked, told, welcome } = opened();
  welcome(10);
  welcome(18);
  chat.read(15);
  await pause(20);
  equal([marked, conversationList.get(HERE).unread, told()], [[18], 2, []]);
  chat.disconnect();
}

export async function test_numbers_are_asked_for_while_words_keep_coming_and_again_when_refused() {
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
