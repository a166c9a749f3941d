import { ConversationList } from "chatty/chat/conversation_list.js";
import { Emitter } from "chatty/lib/emitter.js";
import { savePrefs } from "chatty/lib/notification_prefs.js";
import { Notifier } from "chatty/views/notifier.js";
import { prefsNow } from "chatty/views/quiet_hours.js";
import { equal, pause, until } from "tests/assert.js";
import { Server } from "tests/server.js";

const ME = 1;
const GRACE = 20;

savePrefs(ME, { banners: true, sound: true });

const WORDS = '<template id="translations"><span data-i18n="notify.says">{name}: {text}</span></template>';

/** A window of an account in conversation 7. `banners` are the notifications currently on the screen. */
class Window {
  banners = new Map(); // id -> content
  shown = []; // all notifications so far
  sounds = 0;
  me = { quiet_hours: null };
  socket = new Emitter();
  prefs = prefsNow(this.socket, this.me);
  chat = new Emitter();

  constructor(
    server,
    { kind = "group", level = "all", read = 0, scope = "test", counted = true, connected = true } = {},
  ) {
    this.server = server;
    this.row = { kind, level };
    this.conversationList = new ConversationList({
      me: ME,
      rows: [{ id: 7, name: "Kitchen", ...this.row, unread: 0 }],
    });
    if (counted) this.count(read);
    document.body.innerHTML = WORDS;
    look(false);
    this.notifier = new Notifier({
      me: ME,
      scope,
      conversationList: this.conversationList,
      chat: this.chat,
      prefs: () => this.prefs(ME),
      notifications: {
        notificationIds: async () => [...this.banners.keys()],
        showNotification: async (words) => {
          this.shown.push(words);
          this.banners.set(words.id, words);
        },
        closeNotifications: async (id = null) =>
          id === null ? this.banners.clear() : this.banners.delete(id),
      },
      sound: { canSound: () => true, playSound: () => (this.sounds += 1) },
      grace: GRACE,
    });
    if (connected) this.notifier.connect();
  }

  count(read) {
    const { server } = this;
    const last = server.messages.length;
    const unread = {
      unread: server.unread(read),
      unread_more: last - read > 200,
      mentions: server.mentions(read),
    };
    const numbers = { version: server.version, last_seq: last, last_read_seq: read, ...unread };
    this.conversationList.setCounts([{ id: 7, name: "Kitchen", ...this.row, ...numbers }]);
  }

  /** Deliver a created or changed message to this window. */
  hear(message) {
    const now = this.server.now(message);
    this.conversationList.applyMessages({
      conversation: 7,
      version: now.version,
      messages: [now],
    });
    return message;
  }

  says(more) {
    return this.hear(this.server.create(more));
  }

  async ready() {
    await until(async () => {
      const { held } = await navigator.locks.query();
      return held.some(({ name }) => name.endsWith(".notifier"));
    });
    await pause();
    return this;
  }
}

function look(here) {
  document.hasFocus = () => here;
  dispatchEvent(new Event(here ? "focus" : "blur"));
}

/** All of the day but a minute, in a zone in which that is hours away. */
function allDay() {
  const zone = new Date().getUTCHours() === 0 ? "Asia/Tokyo" : "UTC";
  return { start: "00:01", end: "00:00", zone };
}

const settled = () => pause(4 * GRACE);

export async function test_notification_shows_author_and_text() {
  const window = await new Window(new Server()).ready();
  window.says();
  await until(() => window.banners.size);
  const { id, title, body, url } = window.banners.get(7);
  equal([id, title, body, url], [7, "Kitchen", "user 2: words 1", "/c/7/"]);
  equal(window.sounds, 1);
}

export async function test_quiet_hours_have_neither_notification_nor_sound() {
  const window = await new Window(new Server()).ready();
  window.socket.emit("frame", { type: "quiet_hours", quiet_hours: allDay() });
  window.says();
  await settled();
  equal([window.shown.length, window.sounds], [0, 0]);
  window.socket.emit("hello", { type: "hello", quiet_hours: null }); // what came before isn't told again
  await settled();
  equal([window.shown.length, window.sounds], [0, 0]);
  window.says();
  await until(() => window.banners.size);
  equal(window.banners.get(7).title, "Kitchen (2)");
}

export async function test_messages_share_a_notification_with_their_count_and_the_latest_text() {
  const window = await new Window(new Server()).ready();
  window.says();
  await until(() => window.banners.size);
  window.says();
  window.says();
  await until(() => window.shown.length > 1);
  await settled();
  equal(window.shown.length, 2);
  equal(window.banners.get(7).title, "Kitchen (3)");
  equal(window.banners.get(7).body, "user 2: words 3");
  equal([window.sounds, window.banners.get(7).again], [1, false]); // no second alert within seconds
}

export async function test_notification_of_a_direct_message_has_the_name_only_in_the_title() {
  const window = await new Window(new Server(), { kind: "direct", level: "mentions" }).ready();
  window.says();
  await until(() => window.banners.size);
  equal(window.banners.get(7).body, "words 1");
}

export async function test_notification_shows_the_excerpt_as_text() {
  const window = await new Window(new Server()).ready();
  const message = window.server.create();
  message.excerpt = "All of it <b>";
  window.hear(message);
  await until(() => window.banners.size);
  equal(window.banners.get(7).body, "user 2: All of it <b>");
}

export async function test_no_notification_while_any_window_is_being_looked_at() {
  const window = await new Window(new Server()).ready();
  look(true);
  await pause(5);
  window.says();
  await settled();
  look(false);
  await settled();
  equal([window.shown.length, window.sounds], [0, 0]);
  window.says();
  await until(() => window.banners.size);
}

export async function test_own_and_system_messages_and_edits_do_not_notify() {
  const window = await new Window(new Server()).ready();
  window.says({ author: ME });
  window.says({ kind: "joined" });
  const message = window.server.create();
  window.hear(message);
  await until(() => window.banners.size);
  window.hear(window.server.edit(message));
  await settled();
  equal(window.shown.length, 1);
}

export async function test_notification_is_closed_when_its_message_is_read() {
  const window = await new Window(new Server()).ready();
  window.says();
  await until(() => window.banners.size);
  window.conversationList.read({ conversation: 7, seq: 1 });
  await until(() => !window.banners.size);
}

export async function test_no_notification_for_a_message_read_immediately_elsewhere() {
  const window = await new Window(new Server()).ready();
  window.says();
  window.conversationList.read({ conversation: 7, seq: 1 });
  await settled();
  equal([window.shown.length, window.sounds], [0, 0]);
}

export async function test_notification_is_closed_when_its_message_is_deleted() {
  const window = await new Window(new Server()).ready();
  window.says();
  const regretted = window.says();
  await until(() => window.banners.size);
  window.hear(window.server.delete(regretted));
  await until(() => !window.banners.size);
}

export async function test_level_mentions_notifies_of_mentions_only() {
  const window = await new Window(new Server(), { level: "mentions" }).ready();
  window.says();
  window.says({ mentions: [5] });
  await settled();
  equal(window.shown.length, 0);
  window.says({ mentions: [ME] });
  window.says();
  await until(() => window.banners.size);
  const { title, body } = window.banners.get(7);
  equal([title, body], ["Kitchen", "user 2: words 3"]);
}

export async function test_level_mentions_notifies_of_what_mentions_everyone() {
  const window = await new Window(new Server(), { level: "mentions" }).ready();
  window.says({ all: true });
  await until(() => window.banners.size);
  equal(window.banners.get(7).body, "user 2: words 1");
}

export async function test_level_nothing_does_not_notify() {
  const window = await new Window(new Server(), { level: "nothing" }).ready();
  window.says({ mentions: [ME] });
  await settled();
  equal([window.shown.length, window.sounds], [0, 0]);
}

export async function test_lowering_the_level_closes_the_notification_and_raising_it_shows_none() {
  const window = await new Window(new Server()).ready();
  window.says();
  await until(() => window.banners.size);
  const change = (level) =>
    window.conversationList.applyConversation({
      change: "level",
      conversation: { id: 7, kind: "group", level },
    });
  change("nothing");
  await until(() => !window.banners.size);
  change("all");
  await settled();
  equal(window.shown.length, 1);
}

export async function test_messages_unread_on_page_load_do_not_notify() {
  const server = new Server();
  server.create();
  const window = await new Window(server, { counted: false }).ready();
  window.count(0);
  await settled();
  equal(window.shown.length, 0);
}

export async function test_message_received_before_the_notifier_connects_is_notified() {
  const server = new Server();
  server.create();
  const window = new Window(server, { counted: false, connected: false });
  window.count(0);
  window.says();
  window.notifier.connect();
  await until(() => window.banners.size);
  equal(window.banners.get(7).title, "Kitchen (2)");
}

export async function test_messages_missed_while_offline_are_notified_by_count() {
  const window = await new Window(new Server()).ready();
  window.server.create();
  window.server.create();
  window.count(0);
  await until(() => window.banners.size);
  equal(window.banners.get(7).title, "Kitchen (2)");
}

export async function test_marking_as_unread_does_not_notify() {
  const server = new Server();
  server.create();
  server.create();
  const window = await new Window(server, { read: 2 }).ready();
  window.conversationList.read({ conversation: 7, seq: 0, unread: 2 });
  await settled();
  equal(window.shown.length, 0);
}

export async function test_added_conversation_with_unread_messages_notifies() {
  const window = await new Window(new Server()).ready();
  const row = { id: 8, kind: "direct", name: "Bob", version: 1, last_seq: 1, last_read_seq: 0, unread: 1 };
  window.conversationList.applyConversation({ change: "added", conversation: row });
  await until(() => window.banners.get(8));
  equal(window.banners.get(8).title, "Bob");
}

export async function test_only_the_leader_notifies_and_another_window_takes_over() {
  const server = new Server();
  const first = await new Window(server).ready();
  const second = new Window(server);
  second.banners = first.banners; // the system's, the same for both
  const both = () => {
    const message = server.create();
    first.hear(message);
    second.hear(message);
  };
  both();
  await settled();
  equal([first.shown.length, second.shown.length], [1, 0]);
  first.notifier.disconnect();
  // Of what is heard in between, an earlier notification of the conversation already says enough.
  await until(async () => !(await navigator.locks.query()).pending.length);
  await pause();
  both();
  await until(() => second.shown.length);
  await settled();
  equal([first.shown.length, second.shown.length], [1, 1]);
}

export async function test_new_leader_shows_a_notification_the_previous_one_missed() {
  const server = new Server();
  const first = await new Window(server).ready();
  const second = new Window(server);
  second.says(); // only the second receives it, and leaves the notification to the first
  await settled();
  equal(second.shown.length, 0);
  first.notifier.disconnect();
  await until(() => second.banners.size);
  equal(second.banners.get(7).body, "user 2: words 1");
}

export async function test_new_leader_closes_notifications_of_the_previous_one() {
  const server = new Server();
  const first = await new Window(server).ready();
  const second = new Window(server);
  const message = server.create();
  first.hear(message);
  second.hear(message);
  await until(() => first.banners.size);
  second.banners = first.banners; // the system's, the same for both
  first.notifier.disconnect();
  await pause(5);
  second.conversationList.read({ conversation: 7, seq: 1 });
  await until(() => !second.banners.size);
}

export async function test_signing_out_elsewhere_closes_notifications() {
  const window = await new Window(new Server()).ready();
  window.says();
  await until(() => window.banners.size);
  window.chat.emit("status", { state: "stopped", code: 4001 });
  await until(() => !window.banners.size);
}

export async function test_window_that_had_no_socket_for_a_while_notifies_again() {
  const window = await new Window(new Server()).ready();
  window.chat.emit("status", { state: "stopped", code: 4409 });
  window.says(); // another window notifies of it
  await settled();
  equal(window.shown.length, 0);
  window.chat.emit("status", { state: "connecting" });
  window.chat.emit("status", { state: "online" });
  await until(() => window.shown.length, "missed in the meantime");
  window.notifier.disconnect();
  window.says();
  await settled();
  equal(window.shown.length, 1);
}
