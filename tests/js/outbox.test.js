import { Drafts } from "chatty/chat/drafts.js";
import { Outbox } from "chatty/chat/outbox.js";
import { OutboxStorage } from "chatty/chat/outbox_storage.js";
import { Unsent } from "chatty/chat/unsent.js";
import { equal, ok, pause, until } from "tests/assert.js";

let scopes = 0;

function newScope() {
  scopes += 1;
  return `test.${scopes}`;
}

/** A server that stores by key and can be told how to answer. */
function makeConnection() {
  const connection = { open: true, stored: [], asked: [], busy: 0, most: 0, answers: [] };
  connection.deliver = async (record) => {
    connection.asked.push(record.key);
    connection.busy += 1;
    connection.most = Math.max(connection.most, connection.busy);
    await pause(2);
    connection.busy -= 1;
    const answer = connection.answers.shift();
    if (answer) throw answer;
    if (!connection.stored.some(({ key }) => key === record.key)) connection.stored.push(record);
    return { id: connection.stored.length, seq: connection.stored.length, version: connection.stored.length };
  };
  connection.deliver.ready = () => connection.open;
  connection.bodies = () => connection.stored.map(({ body }) => body);
  return connection;
}

/** The storage of a browser that refuses IndexedDB. */
function memoryOnly() {
  return new OutboxStorage("none", { open: () => Promise.reject(new Error("refused")) });
}

async function makeOutbox(connection, { scope = newScope(), storage, ...options } = {}) {
  const outbox = new Outbox({
    scope,
    storage: storage ?? new OutboxStorage(scope),
    deliver: connection.deliver,
    delay: () => 10,
    ...options,
  });
  await outbox.connect();
  return outbox;
}

const RETRY = { code: "busy", detail: "Busy.", retry: true };
const REFUSED = { code: "too_long", detail: "That’s too long.", retry: false };

export async function test_words_leave_in_the_order_they_were_written() {
  const connection = makeConnection();
  const outbox = await makeOutbox(connection);
  for (const body of ["one", "two", "three"]) outbox.add({ conversation: 1, body });
  await until(() => outbox.size === 0 && connection.stored.length === 3);
  equal(connection.bodies(), ["one", "two", "three"]);
  equal(connection.most, 1, "one in flight per conversation");
}

export async function test_words_are_shown_at_once_and_kept_before_they_are_sent() {
  const connection = makeConnection();
  connection.open = false;
  const outbox = await makeOutbox(connection);
  const { record, kept } = outbox.add({ conversation: 1, body: "one" });
  equal(
    outbox.entries(1).map(({ key, state }) => [key, state]),
    [[record.key, "queued"]],
  );
  await kept;
  equal(connection.asked, []);
}

export async function test_another_conversation_does_not_wait() {
  const connection = makeConnection();
  connection.answers = Array(50).fill(RETRY);
  const outbox = await makeOutbox(connection);
  outbox.add({ conversation: 1, body: "stuck" });
  await until(() => connection.asked.length > 1);
  connection.answers = [];
  outbox.add({ conversation: 2, body: "free" });
  await until(() => connection.bodies().includes("free"));
}

export async function test_what_may_work_later_is_tried_again_with_the_same_key() {
  const connection = makeConnection();
  connection.answers = [RETRY, RETRY, RETRY];
  const outbox = await makeOutbox(connection);
  outbox.add({ conversation: 1, body: "one" });
  outbox.add({ conversation: 1, body: "two" });
  await until(() => connection.stored.length === 2);
  equal(new Set(connection.asked.slice(0, 4)).size, 1);
  equal(connection.bodies(), ["one", "two"]);
}

export async function test_what_is_refused_fails_in_words_and_the_next_goes_on() {
  const connection = makeConnection();
  connection.answers = [REFUSED];
  const outbox = await makeOutbox(connection);
  const { record } = outbox.add({ conversation: 1, body: "bad" });
  outbox.add({ conversation: 1, body: "good" });
  await until(() => connection.stored.length === 1 && outbox.size === 1);
  equal(connection.bodies(), ["good"]);
  const [failed] = outbox.entries(1);
  equal([failed.key, failed.state, failed.failure.detail], [record.key, "failed", "That’s too long."]);
  await outbox.retry(record.key);
  await until(() => connection.stored.length === 2);
  equal(connection.stored[1].key, record.key);
}

export async function test_discarded_words_never_leave() {
  const connection = makeConnection();
  connection.open = false;
  const outbox = await makeOutbox(connection);
  const first = outbox.add({ conversation: 1, body: "no" });
  const second = outbox.add({ conversation: 1, body: "yes" });
  await Promise.all([first.kept, second.kept]);
  equal((await outbox.discard(first.record.key)).body, "no");
  connection.open = true;
  outbox.kick();
  await until(() => connection.stored.length === 1);
  equal(connection.bodies(), ["yes"]);
}

export async function test_words_written_offline_leave_once_and_in_order_after_a_reload() {
  const scope = `reload.${Date.now()}`;
  const dead = makeConnection();
  dead.open = false;
  const before = await makeOutbox(dead, { scope });
  const written = ["1", "2", "3", "4", "5"];
  for (const body of written) await before.add({ conversation: 1, body }).kept;
  before.disconnect();
  const connection = makeConnection();
  const after = await makeOutbox(connection, { scope });
  await until(() => connection.stored.length === 5 && after.size === 0);
  equal(connection.bodies(), written);
  equal(connection.asked.length, 5);
}

export async function test_an_answer_that_was_lost_does_not_make_a_second_message() {
  const scope = `lost.${Date.now()}`;
  const connection = makeConnection();
  const before = await makeOutbox(connection, { scope });
  const deliver = connection.deliver;
  before.add({ conversation: 1, body: "once" });
  await until(() => connection.asked.length === 1);
  before.disconnect(); // the page goes while the answer is on its way
  const again = makeConnection();
  again.deliver = deliver;
  const after = await makeOutbox({ ...connection, deliver }, { scope });
  await until(() => after.size === 0);
  equal(connection.bodies(), ["once"]);
}

export async function test_two_tabs_send_each_message_once() {
  const scope = `tabs.${Date.now()}`;
  const connection = makeConnection();
  connection.open = false;
  const [one, two] = [await makeOutbox(connection, { scope }), await makeOutbox(connection, { scope })];
  for (let count = 0; count < 6; count += 1) {
    await (count % 2 ? one : two).add({ conversation: 1, body: `${count}` }).kept;
  }
  await until(() => one.entries(1).length === 6 && two.entries(1).length === 6);
  connection.open = true;
  one.kick();
  two.kick();
  await until(() => connection.stored.length === 6 && !one.size && !two.size);
  equal(connection.bodies(), ["0", "1", "2", "3", "4", "5"]);
  equal(connection.asked.length, 6);
  equal(connection.most, 1);
}

export async function test_the_other_tab_sees_what_is_sent_and_what_is_discarded() {
  const scope = `seen.${Date.now()}`;
  const connection = makeConnection();
  connection.open = false;
  const [one, two] = [await makeOutbox(connection, { scope }), await makeOutbox(connection, { scope })];
  const heard = [];
  two.on("sent", ({ record }) => heard.push(["sent", record.body]));
  two.on("discarded", ({ record }) => heard.push(["discarded", record.body]));
  const first = one.add({ conversation: 1, body: "a" });
  const second = one.add({ conversation: 1, body: "b" });
  await Promise.all([first.kept, second.kept]);
  await one.discard(first.record.key);
  connection.open = true;
  one.kick();
  await until(() => heard.length === 2);
  equal(heard, [
    ["discarded", "a"],
    ["sent", "b"],
  ]);
}

export async function test_nobody_finds_the_words_of_another_person() {
  const connection = makeConnection();
  connection.open = false;
  const mine = await makeOutbox(connection, { scope: `1.${Date.now()}` });
  await mine.add({ conversation: 1, body: "mine" }).kept;
  const theirs = await makeOutbox(connection, { scope: `2.${Date.now()}` });
  equal(theirs.entries(1), []);
  await mine.clear();
  equal(mine.size, 0);
}

export async function test_what_the_disk_refuses_is_kept_in_memory_and_sent() {
  const connection = makeConnection();
  connection.open = false;
  const outbox = await makeOutbox(connection, { storage: memoryOnly() });
  const told = [];
  outbox.on("stored", () => told.push(outbox.stored));
  await outbox.add({ conversation: 1, body: "kept" }).kept;
  equal(outbox.stored, false, "a reload would lose it");
  connection.open = true;
  outbox.kick();
  await until(() => connection.stored.length === 1 && outbox.size === 0);
  equal(told, [false, true]);
}

/** The database is deleted, as when somebody clears the data of the site. */
function deleteDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase("chatty");
    request.onsuccess = resolve;
    request.onerror = reject;
  });
}

async function onDisk(scope) {
  const storage = new OutboxStorage(scope);
  const records = await storage.all();
  storage.close();
  return records.map(({ body }) => body);
}

export async function test_what_was_queued_outlives_the_data_of_the_site() {
  const scope = `cleared.${Date.now()}`;
  const connection = makeConnection();
  connection.open = false;
  const outbox = await makeOutbox(connection, { scope });
  await outbox.add({ conversation: 1, body: "one" }).kept;
  await outbox.add({ conversation: 1, body: "two" }).kept;
  await deleteDatabase();
  await until(async () => (await onDisk(scope)).length === 2, "a new copy is made at once");
  await outbox.add({ conversation: 1, body: "three" }).kept;
  equal(
    outbox.entries(1).map(({ body }) => body),
    ["one", "two", "three"],
  );
  await until(() => outbox.stored);
  equal(await onDisk(scope), ["one", "two", "three"]);
  connection.open = true;
  outbox.kick();
  await until(() => connection.stored.length === 3 && outbox.size === 0);
  equal(connection.bodies(), ["one", "two", "three"]);
  equal(await onDisk(scope), []);
}

export async function test_an_emptied_database_takes_nothing_out_of_the_page() {
  const connection = makeConnection();
  connection.open = false;
  const scope = `emptied.${Date.now()}`;
  const outbox = await makeOutbox(connection, { scope });
  for (const body of ["one", "two"]) await outbox.add({ conversation: 1, body }).kept;
  const other = new OutboxStorage(scope);
  await other.clear();
  other.close();
  await outbox.add({ conversation: 1, body: "three" }).kept;
  equal(outbox.size, 3);
  connection.open = true;
  outbox.kick();
  await until(() => connection.stored.length === 3);
  equal(connection.bodies(), ["one", "two", "three"]);
}

export async function test_a_database_that_never_opens_stops_nothing() {
  const connection = makeConnection();
  const storage = new OutboxStorage("never", { open: () => new Promise(() => {}), patience: 30 });
  const outbox = new Outbox({ scope: "never", storage, deliver: connection.deliver, delay: () => 5 });
  outbox.connect();
  outbox.add({ conversation: 1, body: "one" });
  equal(outbox.size, 1, "shown at once");
  await until(() => connection.stored.length === 1);
  const asked = performance.now();
  outbox.add({ conversation: 1, body: "two" });
  await until(() => connection.stored.length === 2);
  ok(performance.now() - asked < 1_000, "nobody waits for it a second time");
}

export async function test_a_database_that_opens_late_is_used_from_then_on() {
  const scope = `late.${Date.now()}`;
  const earlier = makeConnection();
  earlier.open = false;
  const before = await makeOutbox(earlier, { scope });
  await before.add({ conversation: 1, body: "left by the page before" }).kept;
  before.disconnect();
  let openNow;
  const gate = new Promise((resolve) => (openNow = resolve));
  const connection = makeConnection();
  connection.open = false;
  const real = () => gate.then(() => openReal());
  const outbox = await makeOutbox(connection, {
    scope,
    storage: new OutboxStorage(scope, { open: real, patience: 20 }),
  });
  await outbox.add({ conversation: 1, body: "new" }).kept;
  equal([outbox.size, outbox.stored], [1, false]);
  openNow();
  await until(() => outbox.stored && outbox.size === 2);
  equal((await onDisk(scope)).sort(), ["left by the page before", "new"]);
}

function openReal() {
  return new Promise((resolve) => {
    const request = indexedDB.open("chatty", 2);
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
  });
}

export async function test_a_disk_that_stops_answering_is_waited_for_once() {
  const hanging = { transaction: () => ({ objectStore: () => endless }), close() {} };
  const endless = {
    index: () => endless,
    openCursor: () => ({}),
    getAll: () => ({}),
    put: () => ({}),
    delete: () => ({}),
    count: () => ({}),
  };
  const connection = makeConnection();
  const storage = new OutboxStorage("hangs", { open: async () => hanging, patience: 40 });
  const outbox = await makeOutbox(connection, { storage });
  for (const body of ["one", "two", "three"]) outbox.add({ conversation: 1, body });
  await until(() => connection.stored.length === 3);
  equal(connection.bodies(), ["one", "two", "three"]);
}

export async function test_what_version_1_kept_is_found() {
  await deleteDatabase();
  const old = await new Promise((resolve) => {
    const request = indexedDB.open("chatty", 1);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore("outbox", { keyPath: "order", autoIncrement: true });
      store.createIndex("scope", "scope");
      store.add({ key: "k1", conversation: 1, body: "old", reply_to: null, failure: null, scope: "v1" });
    };
    request.onsuccess = () => resolve(request.result);
  });
  old.close();
  const connection = makeConnection();
  await makeOutbox(connection, { scope: "v1" });
  await until(() => connection.stored.length === 1);
  equal(connection.bodies(), ["old"]);
}

/** A storage that counts the records that are read and written. */
class CountingStorage extends OutboxStorage {
  touched = 0;

  async all() {
    const records = await super.all();
    this.touched += records.length;
    return records;
  }

  add(record) {
    this.touched += 1;
    return super.add(record);
  }

  put(...records) {
    this.touched += records.length;
    return super.put(...records);
  }

  remove(key) {
    this.touched += 1;
    return super.remove(key);
  }
}

export async function test_a_record_costs_the_same_however_many_wait() {
  const costs = [];
  for (const waiting of [0, 1_000]) {
    const connection = makeConnection();
    connection.open = false;
    const scope = `cost.${waiting}.${Date.now()}`;
    const storage = new CountingStorage(scope);
    const outbox = await makeOutbox(connection, { scope, storage });
    const kept = [];
    for (let count = 0; count < waiting; count += 1) {
      kept.push(outbox.add({ conversation: 1, body: `${count}` }).kept);
    }
    await Promise.all(kept);
    storage.touched = 0;
    let changes = 0;
    outbox.on("change", () => (changes += 1));
    await outbox.add({ conversation: 1, body: "one more" }).kept;
    connection.deliver.ready = () => connection.asked.length < 1; // one is sent
    outbox.kick();
    await until(() => connection.stored.length === 1 && outbox.size === waiting);
    await pause(20);
    costs.push([storage.touched, changes]);
    outbox.disconnect();
  }
  equal(costs[1], costs[0]);
  ok(costs[0][0] <= 3 && costs[0][1] <= 4, `${costs[0]}`);
}

export async function test_a_tab_that_hangs_with_the_lock_stops_the_others_not_for_ever() {
  const scope = `frozen.${Date.now()}`;
  let thaw;
  navigator.locks.request(`chatty.outbox.${scope}.1`, () => new Promise((resolve) => (thaw = resolve)));
  const connection = makeConnection();
  const outbox = await makeOutbox(connection, { scope, lockWait: 30 });
  for (const body of ["one", "two"]) outbox.add({ conversation: 1, body });
  await until(() => connection.stored.length === 2);
  equal(connection.bodies(), ["one", "two"]);
  thaw();
}

export async function test_a_tab_that_opens_learns_of_words_that_are_in_memory_only() {
  const scope = `memory.${Date.now()}`;
  const connection = makeConnection();
  connection.open = false;
  const one = await makeOutbox(connection, { scope, storage: memoryOnly() });
  await one.add({ conversation: 1, body: "unstored" }).kept;
  const two = await makeOutbox(connection, { scope });
  await until(() => two.size === 1 && two.stored);
  equal(await onDisk(scope), ["unstored"]);
}

export async function test_forgetting_forgets_in_every_tab() {
  const scope = `forget.${Date.now()}`;
  const connection = makeConnection();
  connection.open = false;
  const [one, two] = [await makeOutbox(connection, { scope }), await makeOutbox(connection, { scope })];
  await one.add({ conversation: 1, body: "a" }).kept;
  await until(() => two.size === 1);
  await one.clear();
  await until(() => two.size === 0);
  equal(await onDisk(scope), []);
}

export async function test_it_works_where_there_are_no_locks() {
  const connection = makeConnection();
  const outbox = new Outbox({
    scope: "none",
    storage: memoryOnly(),
    deliver: connection.deliver,
    locks: null,
    delay: () => 5,
  });
  await outbox.connect();
  for (const body of ["one", "two"]) outbox.add({ conversation: 1, body });
  await until(() => connection.stored.length === 2);
  ok(connection.most === 1);
}

export async function test_unsent_text_is_counted_and_removed_whatever_kind_it_is() {
  const scope = `41.${Date.now()}`;
  const connection = makeConnection();
  connection.open = false;
  const outbox = await makeOutbox(connection, { scope });
  const drafts = new Drafts(scope, "me my@address");
  const theirs = new Drafts("4.x");
  const unsent = new Unsent({ outbox, drafts });
  await outbox.add({ conversation: 1, body: "waits" }).kept;
  drafts.write(1, { body: "draft" });
  drafts.write("edit.7", { body: "an edit in progress" });
  new Drafts("41.before-a-restore", "x my@address").write(1, { body: "old" });
  new Drafts("41.another's", "x their@address").write(1, { body: "of who had this id before" });
  theirs.write(1, { body: "somebody else's" });
  const former = await makeOutbox(connection, { scope: "40.before-a-restore" });
  new Drafts("40.before-a-restore", "me old@address");
  await former.add({ conversation: 1, body: "old, too" }).kept;
  equal([unsent.size, await unsent.count()], [3, 5]);
  await unsent.clear();
  equal([unsent.size, await onDisk(scope), theirs.size], [0, [], 1]);
  equal([new Drafts("41.before-a-restore").size, await onDisk("40.before-a-restore")], [0, []]);
  equal([await unsent.count(), new Drafts("41.another's").size], [0, 1]);
}

export async function test_what_nobody_came_back_to_is_forgotten_after_30_days() {
  const later = Date.now() + 31 * 86_400_000;
  const connection = makeConnection();
  connection.open = false;
  const outbox = await makeOutbox(connection, { scope: "51.e" });
  await outbox.add({ conversation: 1, body: "theirs" }).kept;
  const mine = await makeOutbox(connection, { scope: "52.e" });
  await mine.add({ conversation: 1, body: "mine" }).kept;
  const storage = new OutboxStorage("52.e");
  await storage.removeOld();
  equal(await onDisk("51.e"), ["theirs"]);
  await storage.removeOld(later);
  equal([await onDisk("51.e"), await onDisk("52.e")], [[], ["mine"]]);
  const drafts = new Drafts("51.e");
  drafts.write(1, { body: "draft" });
  new Drafts("52.e").removeOld();
  equal(drafts.size, 1);
  new Drafts("52.e").removeOld(later);
  equal(drafts.size, 0);
}
