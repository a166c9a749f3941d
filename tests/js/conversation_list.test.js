import { ConversationList, notifiableCount } from "chatty/chat/conversation_list.js";
import { chance, equal } from "tests/assert.js";
import { Server } from "tests/server.js";

const ME = 1;

function given(server, read = 0) {
  const last = server.messages.length;
  return {
    id: 7,
    name: "Kitchen",
    version: server.version,
    last_seq: last,
    last_read_seq: read,
    unread: server.unread(read),
    unread_more: last - read > 200,
    mentions: server.mentions(read),
  };
}

function listOf(server, read = 0) {
  const conversationList = new ConversationList({ me: ME, rows: [{ id: 7, name: "Kitchen", unread: 0 }] });
  conversationList.setCounts([given(server, read)]);
  return conversationList;
}

function hear(conversationList, { version, message }) {
  conversationList.applyMessages({ conversation: 7, version, messages: [message] });
}

export function test_message_from_someone_else_counts_once() {
  const server = new Server();
  const conversationList = listOf(server);
  server.create();
  hear(conversationList, server.events[0]);
  hear(conversationList, server.events[0]);
  equal(conversationList.total(), { count: 1, more: false });
}

export function test_own_and_system_messages_and_edits_do_not_count() {
  const server = new Server();
  const conversationList = listOf(server);
  server.edit(server.create({ author: ME }));
  server.create({ kind: "joined" });
  for (const event of server.events) hear(conversationList, event);
  equal(conversationList.get(7).unread, 0);
}

export function test_deleting_an_unread_message_lowers_the_count() {
  const server = new Server();
  const conversationList = listOf(server);
  server.delete(server.create());
  for (const event of server.events) hear(conversationList, event);
  equal(conversationList.get(7).unread, 0);
}

export function test_reading_to_the_end_sets_unread_to_zero() {
  const server = new Server();
  server.create();
  server.create();
  const conversationList = listOf(server);
  conversationList.read({ conversation: 7, seq: 2 });
  equal(conversationList.get(7).unread, 0);
}

export function test_read_mark_in_the_middle_requests_a_recount() {
  const server = new Server();
  for (let count = 0; count < 4; count += 1) server.create();
  const conversationList = listOf(server);
  const asked = [];
  conversationList.on("recount", ({ id }) => asked.push(id));
  conversationList.read({ conversation: 7, seq: 2 });
  equal(asked, [7]);
  conversationList.setCounts([given(server, 2)]);
  equal(conversationList.get(7).unread, 2);
}

export function test_counts_older_than_received_messages_are_requested_again() {
  const server = new Server();
  const conversationList = listOf(server);
  const old = given(server);
  server.create();
  hear(conversationList, server.events[0]);
  const asked = [];
  conversationList.on("recount", ({ id }) => asked.push(id));
  conversationList.setCounts([old]);
  equal(asked, [7]);
  equal(conversationList.get(7).unread, 1);
}

export function test_removed_conversation_is_not_in_the_total() {
  const server = new Server();
  server.create();
  const conversationList = listOf(server);
  const gone = [];
  conversationList.on("removed", ({ id }) => gone.push(id));
  conversationList.applyConversation({ change: "removed", conversation: { id: 7 } });
  equal(gone, [7]);
  equal(conversationList.total().count, 0);
}

export function test_total_depends_on_notification_levels() {
  const rows = [
    { id: 1, kind: "group", level: "all", unread: 3, mentions: [4] },
    { id: 2, kind: "group", level: "mentions", unread: 9, mentions: [5, 7], unread_more: true },
    { id: 3, kind: "group", level: "nothing", unread: 20, mentions: [1] },
    { id: 4, kind: "direct", level: "mentions", unread: 2 },
    { id: 5, kind: "direct", level: "nothing", unread: 1, unread_more: true },
  ];
  const conversationList = new ConversationList({ me: ME, rows });
  equal(rows.map(notifiableCount), [3, 2, 0, 2, 0]);
  equal(conversationList.total(), { count: 7, more: false });
  conversationList.applyConversation({
    change: "level",
    conversation: { id: 3, kind: "group", level: "all" },
  });
  equal(conversationList.total().count, 27);
}

export function test_counts_older_than_the_read_mark_are_requested_again() {
  const server = new Server();
  for (let count = 0; count < 4; count += 1) server.create();
  const conversationList = listOf(server);
  const asked = [];
  conversationList.on("recount", ({ id }) => asked.push(id));
  const asOf = conversationList.asOf(7);
  const late = given(server, 0);
  conversationList.read({ conversation: 7, seq: 4 });
  conversationList.setCounts([late], asOf);
  equal([conversationList.get(7).unread, conversationList.total().count, asked], [0, 0, [7]]);
}

export function test_update_person_renames_the_direct_message_without_moving_it() {
  const conversationList = new ConversationList({
    me: 1,
    rows: [
      { id: 8, kind: "direct", name: "Bob", unread: 2, other: { id: 2, name: "Bob" } },
      { id: 9, kind: "direct", name: "Mia", unread: 0, other: { id: 3, name: "Mia" } },
      { id: 10, kind: "group", name: "Kitchen", unread: 0, other: null },
    ],
  });
  const changes = [];
  conversationList.on("change", (change) => changes.push(change));
  const other = { id: 2, name: "Robert", hue: 3, picture: null };
  conversationList.updatePerson(other);
  const { name, unread } = conversationList.get(8);
  equal([name, conversationList.get(8).other, unread], ["Robert", other, 2]);
  equal(conversationList.get(9).name, "Mia");
  equal(changes, [{ id: 8, moved: false }]);
}

export function test_rows_of_the_page_are_continued_from_the_first_counts_of_the_server() {
  const server = new Server();
  server.create();
  const row = given(server);
  const conversationList = new ConversationList({ me: ME, rows: [row] });
  equal(conversationList.total().count, 1, "the page's own count is shown");
  const asked = [];
  conversationList.on("recount", ({ id }) => asked.push(id));
  server.create(); // while the page was loading
  hear(conversationList, server.events[1]);
  equal([asked, conversationList.total().count], [[7], 1]);
  conversationList.setCounts([given(server)]);
  const { counted, first, unverified } = conversationList.get(7);
  equal([counted, first, unverified], [true, { seq: 2, count: 2 }, false]);
}

export function test_level_frame_does_not_overwrite_newer_counts() {
  const server = new Server();
  const conversationList = listOf(server);
  const early = { ...given(server), level: "mentions" };
  server.create();
  hear(conversationList, server.events[0]);
  const asked = [];
  conversationList.on("recount", ({ id }) => asked.push(id));
  conversationList.applyConversation({ change: "level", conversation: early });
  equal([conversationList.get(7).level, conversationList.get(7).unread, asked], ["mentions", 1, [7]]);
  server.create();
  hear(conversationList, server.events[1]);
  equal(conversationList.get(7).unread, 2);
}

const SETTINGS = { name: "Garden", topic: "Seeds", access: "open", archived: true, role: "admin" };
const NOTICES = [
  ["renamed", { old: "Kitchen", new: "Garden" }],
  ["topic", { old: "", new: "Weeds" }],
  ["topic", { old: "Weeds", new: "Seeds" }],
  ["access", { access: "open" }],
  ["archived", {}],
  ["role", { user: ME, name: "Me", role: "admin" }],
  ["role", { user: 2, name: "Bob", role: "owner" }],
];

function settingsOf({ name, topic, access, archived, role }) {
  return { name, topic, access, archived, role };
}

/** A conversation whose settings have been changed, the events of that, and as it was before. */
function changed() {
  const server = new Server();
  const before = { ...given(server), topic: "", access: "closed", archived: false, role: "member" };
  for (const [kind, data] of NOTICES) {
    server.create({ kind });
    server.events.at(-1).message.notice = { text: "", data };
  }
  const conversationList = new ConversationList({ me: ME, rows: [before] });
  conversationList.setCounts([before]);
  return { conversationList, before, events: server.events };
}

export function test_notices_change_the_conversation_live_and_when_catching_up() {
  const live = changed();
  for (const event of live.events) hear(live.conversationList, event);
  equal(settingsOf(live.conversationList.get(7)), SETTINGS);
  const { conversationList, events } = changed();
  const { version } = events.at(-1);
  conversationList.applyMessages({
    conversation: 7,
    version,
    messages: events.map(({ message }) => message),
  });
  equal(settingsOf(conversationList.get(7)), SETTINGS);
}

export function test_level_frame_does_not_overwrite_newer_settings() {
  const { conversationList, before, events } = changed();
  for (const event of events) hear(conversationList, event);
  const conversation = { ...before, level: "nothing", role: "admin" };
  conversationList.applyConversation({ change: "level", conversation });
  equal(settingsOf(conversationList.get(7)), SETTINGS);
  equal(conversationList.get(7).level, "nothing");
}

/**
 * Two tabs, each with a connection that delivers frames in order but with any delay. REST responses and
 * frames built from the database arrive with any delay, too. Once everything has arrived, each tab must
 * show the counts of a full recount.
 */
export function test_tabs_agree_after_late_frames_and_responses(seed) {
  const random = chance(seed);
  const some = (number) => Math.floor(random() * number);
  for (let round = 0; round < 60; round += 1) {
    const server = new Server();
    const world = { server, read: 0 };
    const tabs = [new Tab(world), new Tab(world)];
    for (let step = 0; step < 250; step += 1) {
      const before = server.version;
      // New messages expose outdated responses by their versions, so send only a few at the end.
      if (random() < (step < 220 ? 0.5 : 0.03)) server.live(random);
      for (const event of server.events.slice(before)) {
        for (const tab of tabs) tab.connection.push(() => hear(tab.conversationList, event));
      }
      if (random() < 0.12) {
        // Read in a tab, which then tells the server, or moved on another device in either direction.
        const seq = some(server.messages.length + 1);
        if (random() < 0.4 && seq > world.read) tabs[some(2)].conversationList.read({ conversation: 7, seq });
        world.read = seq;
        for (const tab of tabs)
          tab.connection.push(() => tab.conversationList.read({ conversation: 7, seq }));
      }
      if (random() < 0.05) {
        const conversation = given(server, world.read);
        for (const tab of tabs)
          tab.late.push(() => tab.conversationList.applyConversation({ change: "level", conversation }));
      }
      for (const tab of tabs) tab.go(random);
    }
    for (const tab of tabs) {
      tab.end();
      const row = tab.conversationList.get(7);
      equal(
        [row.last_read_seq, row.unread, row.unread_more, [...row.mentions].sort((a, b) => a - b)],
        [
          world.read,
          server.unread(world.read),
          server.messages.length - world.read > 200,
          server.mentions(world.read),
        ],
        `seed ${seed}, round ${round}`,
      );
      equal(tab.conversationList.total().count, row.unread);
    }
  }
}

/** A tab with its undelivered frames, its delayed responses, and whether it must request a recount. */
class Tab {
  connection = [];
  late = [];
  #asks = false;
  #world;

  constructor(world) {
    this.#world = world;
    this.conversationList = listOf(world.server);
    this.conversationList.on("recount", () => (this.#asks = true));
  }

  go(random) {
    for (let heard = random() * 3; heard > 1; heard -= 1) this.connection.shift()?.();
    if (this.#asks && random() < 0.3) this.#ask();
    if (random() < 0.3) this.late.splice(Math.floor(random() * this.late.length), 1)[0]?.();
  }

  end() {
    while (this.connection.length) this.connection.shift()();
    while (this.late.length || this.#asks) {
      this.late.shift()?.();
      if (this.#asks) this.#ask();
    }
  }

  #ask() {
    this.#asks = false;
    const asOf = this.conversationList.asOf(7);
    const answer = given(this.#world.server, this.#world.read);
    this.late.push(() => this.conversationList.setCounts([answer], asOf));
  }
}

/** Any mix of events, duplicates, gaps closed by syncs, and read marks moving in both directions. */
export function test_unread_count_matches_a_full_recount(seed) {
  const random = chance(seed);
  for (let round = 0; round < 40; round += 1) {
    const server = new Server();
    let read = 0;
    const conversationList = listOf(server);
    conversationList.on("recount", () => conversationList.setCounts([given(server, read)]));
    for (let step = 0; step < 400; step += 1) {
      const before = server.version;
      for (let burst = random() * 3; burst > 0; burst -= 1) server.live(random);
      if (random() < 0.3) {
        const caughtUp = server.since(before, { limit: 1000 });
        conversationList.applyMessages({ conversation: 7, ...caughtUp });
      }
      for (const event of server.events.slice(Math.max(0, before - 2))) hear(conversationList, event);
      if (random() < 0.05) {
        read = Math.floor(random() * (server.messages.length + 1));
        conversationList.read({ conversation: 7, seq: read });
      }
      equal(conversationList.get(7).unread, server.unread(read), `seed ${seed}, ${round}.${step}`);
      const called = [...conversationList.get(7).mentions].sort((a, b) => a - b);
      equal(called, server.mentions(read), `seed ${seed}, ${round}.${step}`);
      equal(conversationList.get(7).unread_more, server.messages.length - read > 200, `seed ${seed}`);
    }
  }
}
