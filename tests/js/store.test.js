import { Store } from "chatty/chat/store.js";
import { chance, equal, ok } from "tests/assert.js";
import { Server } from "tests/server.js";

const ME = 1;

function opened(server) {
  return new Store({ me: ME, page: server.history() });
}

function shown(store) {
  return store.messages().map(({ seq, version }) => [seq, version]);
}

export function test_next_version_moves_the_position() {
  const server = new Server();
  const store = opened(server);
  server.create();
  store.applyMessage(server.events[0]);
  equal(store.position, 1);
  ok(!store.behind);
}

export function test_version_beyond_a_gap_is_shown_without_moving_the_position() {
  const server = new Server();
  const store = opened(server);
  server.create();
  server.create();
  store.applyMessage(server.events[1]);
  equal(store.position, 0);
  equal(shown(store), [[2, 2]]);
  ok(store.behind);
}

export function test_closing_a_gap_moves_the_position_past_received_versions() {
  const server = new Server();
  const store = opened(server);
  for (let count = 0; count < 4; count += 1) server.create();
  for (const index of [3, 1, 2]) store.applyMessage(server.events[index]);
  equal(store.position, 0);
  store.applyMessage(server.events[0]);
  equal(store.position, 4);
}

export function test_sync_from_the_position_moves_it() {
  const server = new Server();
  const store = opened(server);
  const first = server.create();
  server.edit(first);
  server.edit(first); // no message has version 1 or 2 any more
  store.catchUp(server.since(0));
  equal(store.position, 3);
  equal(shown(store), [[1, 3]]);
}

export function test_sync_from_beyond_the_position_does_not_move_it() {
  const server = new Server();
  const store = opened(server);
  for (let count = 0; count < 3; count += 1) server.create();
  store.catchUp(server.since(2));
  equal(store.position, 0);
  equal(shown(store), [[3, 3]]);
}

export function test_sent_does_not_move_the_position() {
  const server = new Server();
  const store = opened(server);
  store.addPending({ key: "k", body: "words", state: "queued" });
  store.settle("k", { version: 1 });
  equal(store.position, 0);
  ok(store.behind);
  equal(
    store.pending().map(({ state }) => state),
    ["sent"],
  );
}

export function test_older_version_does_not_replace_a_newer_one() {
  const server = new Server();
  const store = opened(server);
  const first = server.create();
  server.edit(first);
  store.applyMessage(server.events[1]);
  store.applyMessage(server.events[0]);
  equal(shown(store), [[1, 2]]);
  equal(store.position, 2);
}

export function test_my_message_replaces_the_pending_one_with_its_key() {
  const server = new Server();
  const store = opened(server);
  store.addPending({ key: "mine", body: "words", state: "sending" });
  server.create({ author: ME, key: "mine" });
  store.applyMessage(server.events[0]);
  equal(store.pending(), []);
}

export function test_message_from_someone_else_with_the_same_key_does_not_replace_the_pending_one() {
  const server = new Server();
  const store = opened(server);
  store.addPending({ key: "mine", body: "words", state: "sending" });
  server.create({ author: 2, key: "mine" });
  store.applyMessage(server.events[0]);
  equal(store.pending().length, 1);
}

export function test_pending_message_is_not_added_after_its_message_has_arrived() {
  const server = new Server();
  server.create({ author: ME, key: "mine" });
  const store = opened(server);
  store.addPending({ key: "mine", body: "words", state: "queued" });
  equal(store.pending(), []);
}

export function test_replace_keeps_messages_newer_than_the_page() {
  const server = new Server();
  const first = server.create();
  const store = opened(server);
  const page = server.history();
  server.edit(first);
  store.applyMessage(server.events[1]);
  store.replace(page);
  equal(shown(store), [[1, 2]]);
  ok(store.behind, "and is asked for again");
}

export function test_trimmed_messages_reload_in_their_current_version() {
  const server = new Server();
  for (let count = 0; count < 20; count += 1) server.create();
  const store = new Store({ me: ME, page: server.history({ limit: 20 }) });
  store.trim("newer", 8);
  ok(store.hasNewer);
  equal(store.messages().length, 8);
  server.edit(server.messages[15]);
  store.applyMessage(server.events.at(-1));
  server.create();
  store.applyMessage(server.events.at(-1));
  equal(store.messages().length, 8, "what is not next to the window stays out of it");
  while (store.hasNewer) {
    store.addNewer(server.history({ after: store.messages().at(-1).seq }), store.era);
  }
  equal(
    shown(store),
    server.messages.map(({ seq, version }) => [seq, version]),
  );
}

export function test_quote_follows_a_quoted_message_outside_the_window() {
  const server = new Server();
  const first = server.create();
  for (let count = 0; count < 12; count += 1) server.create();
  const reply = server.create({ replyTo: first });
  const store = opened(server); // with the latest ten messages
  equal(store.get(first.id), undefined);
  equal(store.get(reply.id).reply_to.excerpt, "words 1");
  server.edit(first);
  store.applyMessage(server.events.at(-1));
  equal(store.get(reply.id).reply_to.excerpt, `edited at ${server.version}`);
  server.delete(first);
  store.catchUp(server.since(store.position));
  equal(store.get(reply.id).reply_to, server.quoteOf(first));
  equal(store.quoteOf(first.id), server.quoteOf(first));
}

export function test_late_page_does_not_restore_an_old_quote() {
  const server = new Server();
  const first = server.create();
  const reply = server.create({ replyTo: first });
  for (let count = 0; count < 10; count += 1) server.create();
  const store = opened(server);
  const page = server.history({ before: 3 });
  const { era } = store;
  server.delete(first);
  store.applyMessage(server.events.at(-1));
  store.addOlder(page, era);
  equal(store.get(reply.id).reply_to, server.quoteOf(first));
}

/** Whatever is lost, duplicated, reordered, late or fetched in between, the result must match the server. */
export function test_any_order_of_events_and_syncs_ends_in_the_same_state(seed) {
  const random = chance(seed);
  for (let round = 0; round < 300; round += 1) interleave(random, `seed ${seed}, round ${round}`);
}

function interleave(random, about) {
  const server = new Server();
  for (let count = random() * 30; count > 0; count -= 1) server.live(random);
  const store = opened(server);
  let heard = server.events.length;
  const late = []; // responses and events in flight
  for (let step = 0; step < 120; step += 1) {
    const dice = random();
    if (dice < 0.4) server.live(random);
    else if (dice < 0.5) late.push(request(server, store, random));
    else if (dice < 0.55) store.trim(random() < 0.5 ? "older" : "newer", 5);
    else if (late.length) late.splice(Math.floor(random() * late.length), 1)[0]();
    for (; heard < server.events.length; heard += 1) {
      const event = server.events[heard];
      const times = [0, 1, 1, 1, 2][Math.floor(random() * 5)]; // lost, delivered once, or duplicated
      for (let time = 0; time < times; time += 1) late.push(() => store.applyMessage(event));
    }
    checkPromise(server, store, about);
  }
  for (const arrive of late) arrive();
  settle(server, store, about);
  const first = store.messages()[0]?.seq ?? 1;
  const last = store.hasNewer ? store.messages().at(-1).seq : Infinity;
  const wanted = server.messages.filter(({ seq }) => seq >= first && seq <= last);
  equal(
    shown(store),
    wanted.map(({ seq, version }) => [seq, version]),
    about,
  );
  equal(store.position, server.version, about);
  for (const { id, reply_to: quoted } of wanted) {
    equal(store.get(id).reply_to, quoted && server.quoteOf(quoted), `${about}: quote in ${id}`);
  }
}

function request(server, store, random) {
  const dice = random();
  if (dice < 0.5) {
    const answer = server.since(store.position, { limit: 1 + Math.floor(random() * 6), reach: 60 });
    const page = server.history();
    return () => (answer.reset ? store.replace(page) : store.catchUp(answer));
  }
  const shownNow = store.messages();
  const { era } = store;
  if (dice < 0.75) {
    if (!store.hasOlder) return () => {};
    const page = server.history({ before: shownNow[0].seq });
    return () => store.addOlder(page, era);
  }
  if (!store.hasNewer) return () => {};
  const page = server.history({ after: shownNow.at(-1).seq });
  return () => store.addNewer(page, era);
}

/** The invariant of the position: every change of a shown message up to it is known. */
function checkPromise(server, store, about) {
  for (const message of server.messages) {
    const known = store.get(message.id);
    if (known && message.version <= store.position) {
      equal(known.version, message.version, `${about}: message ${message.seq} is stale`);
    }
  }
}

function settle(server, store, about) {
  for (let turn = 0; turn < 500; turn += 1) {
    const answer = server.since(store.position, { limit: 5 });
    store.catchUp(answer);
    if (!answer.more) return;
  }
  throw new Error(`${about}: never caught up`);
}

export function test_change_event_lists_the_keys_of_changed_pending_messages() {
  const server = new Server();
  const store = opened(server);
  const told = [];
  store.on("change", ({ keys }) => told.push(keys));
  for (const key of ["a", "b"]) store.addPending({ key, body: key, state: "queued" });
  store.settle("a", { version: 0 });
  const message = server.create({ author: ME, key: "b" });
  store.merge([message]);
  store.drop("a");
  store.drop("a");
  equal(told, [["a"], ["b"], ["a"], ["b"], ["a"]]);
}
