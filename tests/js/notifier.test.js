import { ConversationList } from "chatty/chat/conversation_list.js";
import { Emitter } from "chatty/lib/emitter.js";
import { Notifier } from "chatty/views/notifier.js";
import { equal, pause, until } from "tests/assert.js";
import { Server } from "tests/server.js";

const ME = 1;
const GRACE = 20;

const WORDS = '<template id="translations"><span data-i18n="notify.says">{name}: {text}</span></template>';

/** Conversation 7 as one person's window sees it; `banners` are those that stand on the screen. */
class Window {
  banners = new Map(); // id -> what it says
  shown = []; // every one that was ever shown
  sounds = 0;
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
      prefs: () => ({ banners: true, sound: true }),
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

  /** Somebody says something, or changes it, and this window hears it. */
  hear(message) {
    const now = this.server.now(message);
    this.conversationList.applyMessages({
      conversation: 7,
      version: now.version,
      messages: [{ html: "", ...now }],
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

const settled = () => pause(4 * GRACE);

export async function test_a_message_nobody_looks_at_is_told_with_who_and_what() {
  const window = await new Window(new Server()).ready();
  window.says();
  await until(() => window.banners.size);
  const { id, title, body, url } = window.banners.get(7);
  equal([id, title, body, url], [7, "Kitchen", "user 2: words 1", "/c/7/"]);
  equal(window.sounds, 1);
}

export async function test_several_are_one_banner_with_their_number_and_the_latest_words() {
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
  equal([window.sounds, window.banners.get(7).again], [1, false]); // not again within seconds
}

export async function test_in_a_direct_conversation_the_name_is_said_once() {
  const window = await new Window(new Server(), { kind: "direct", level: "mentions" }).ready();
  window.says();
  await until(() => window.banners.size);
  equal(window.banners.get(7).body, "words 1");
}

export async function test_markdown_is_told_as_what_it_looks_like() {
  const window = await new Window(new Server()).ready();
  const message = window.server.create();
  message.html = "<p>All <strong>of</strong> it<br>&lt;b&gt;</p><script>1</script>";
  window.hear(message);
  await until(() => window.banners.size);
  equal(window.banners.get(7).body, "user 2: All of it<b>1");
}

export async function test_nobody_is_told_of_what_is_looked_at_in_any_window() {
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

export async function test_my_own_words_notices_and_edits_are_not_told() {
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

export async function test_what_is_read_here_or_elsewhere_is_taken_away() {
  const window = await new Window(new Server()).ready();
  window.says();
  await until(() => window.banners.size);
  window.conversationList.read({ conversation: 7, seq: 1 });
  await until(() => !window.banners.size);
}

export async function test_what_is_read_at_once_elsewhere_is_never_shown() {
  const window = await new Window(new Server()).ready();
  window.says();
  window.conversationList.read({ conversation: 7, seq: 1 });
  await settled();
  equal([window.shown.length, window.sounds], [0, 0]);
}

export async function test_words_that_are_deleted_do_not_stand_there_any_longer() {
  const window = await new Window(new Server()).ready();
  window.says();
  const regretted = window.says();
  await until(() => window.banners.size);
  window.hear(window.server.delete(regretted));
  await until(() => !window.banners.size);
}

export async function test_with_mentions_only_those_that_call_me_are_told() {
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

export async function test_with_nothing_nothing_is_told() {
  const window = await new Window(new Server(), { level: "nothing" }).ready();
  window.says({ mentions: [ME] });
  await settled();
  equal([window.shown.length, window.sounds], [0, 0]);
}

export async function test_a_level_turned_down_takes_the_banner_away_and_up_again_tells_nothing_old() {
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

export async function test_what_was_unread_when_the_page_came_is_not_new() {
  const server = new Server();
  server.create();
  const window = await new Window(server, { counted: false }).ready();
  window.count(0);
  await settled();
  equal(window.shown.length, 0);
}

export async function test_a_message_that_came_before_the_notifier_is_told() {
  const server = new Server();
  server.create();
  const window = new Window(server, { counted: false, connected: false });
  window.count(0);
  window.says();
  window.notifier.connect();
  await until(() => window.banners.size);
  equal(window.banners.get(7).title, "Kitchen (2)");
}

export async function test_what_came_while_the_line_was_down_is_told_by_its_number() {
  const window = await new Window(new Server()).ready();
  window.server.create();
  window.server.create();
  window.count(0);
  await until(() => window.banners.size);
  equal(window.banners.get(7).title, "Kitchen (2)");
}

export async function test_unread_from_here_is_no_news() {
  const server = new Server();
  server.create();
  server.create();
  const window = await new Window(server, { read: 2 }).ready();
  window.conversationList.read({ conversation: 7, seq: 0, unread: 2 });
  await settled();
  equal(window.shown.length, 0);
}

export async function test_a_conversation_that_appears_is_told_of() {
  const window = await new Window(new Server()).ready();
  const row = { id: 8, kind: "direct", name: "Bob", version: 1, last_seq: 1, last_read_seq: 0, unread: 1 };
  window.conversationList.applyConversation({ change: "added", conversation: row });
  await until(() => window.banners.get(8));
  equal(window.banners.get(8).title, "Bob");
}

export async function test_one_window_speaks_for_all_and_another_when_it_is_gone() {
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
  both();
  await until(() => second.shown.length);
  await settled();
  equal([first.shown.length, second.shown.length], [1, 1]);
}

export async function test_what_no_window_told_while_one_closed_is_told_by_the_next() {
  const server = new Server();
  const first = await new Window(server).ready();
  const second = new Window(server);
  second.says(); // only the second hears of it, and leaves it to the first
  await settled();
  equal(second.shown.length, 0);
  first.notifier.disconnect();
  await until(() => second.banners.size);
  equal(second.banners.get(7).body, "user 2: words 1");
}

export async function test_another_window_takes_away_what_the_first_had_shown() {
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

export async function test_signed_out_elsewhere_leaves_nothing_on_the_screen() {
  const window = await new Window(new Server()).ready();
  window.says();
  await until(() => window.banners.size);
  window.chat.emit("status", { state: "stopped", code: 4001 });
  await until(() => !window.banners.size);
}
