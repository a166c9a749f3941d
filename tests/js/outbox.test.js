import { Drafts } from "chatty/chat/drafts.js";
import { removeOldDrafts } from "chatty/chat/old_drafts.js";
import { Outbox } from "chatty/chat/outbox.js";
import { OutboxStorage } from "chatty/chat/outbox_storage.js";
import { Unsent } from "chatty/chat/unsent.js";
import { equal, ok, pause, until } from "tests/assert.js";

let scopes = 0;

function newScope() {
  scopes += 1;
  return `test.${scopes}`;
}

/** A fake server that stores messages by key and throws the errors queued in `answers`. */
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

/** The storage in a browser that blocks IndexedDB. */
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

export async function test_messages_are_sent_in_order() {
  const connection = makeConnection();
  const outbox = await makeOutbox(connection);
  for (const body of ["one", "two", "three"]) outbox.add({ conversation: 1, body });
  await until(() => outbox.size === 0 && connection.stored.length === 3);
  equal(connection.bodies(), ["one", "two", "three"]);
  equal(connection.most, 1, "one in flight per conversation");
}

export async function test_record_is_listed_immediately_and_stored_before_it_is_sent() {
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

export async function test_error_that_is_not_of_the_server_is_retried() {
  const connection = makeConnection();
  connection.answers = [new TypeError("Failed to fetch dynamically imported module")];
  const outbox = await makeOutbox(connection);
  outbox.add({ conversation: 1, body: "with a file" });
  await until(() => outbox.size === 0);
  equal(connection.bodies(), ["with a file"]);
}

export async function test_other_conversations_are_not_blocked() {
  const connection = makeConnection();
  connection.answers = Array(50).fill(RETRY);
  const outbox = await makeOutbox(connection);
  outbox.add({ conversation: 1, body: "stuck" });
  await until(() => connection.asked.length > 1);
  connection.answers = [];
  outbox.add({ conversation: 2, body: "free" });
  await until(() => connection.bodies().includes("free"));
}

export async function test_retryable_errors_are_retried_with_the_same_key() {
  const connection = makeConnection();
  connection.answers = [RETRY, RETRY, RETRY];
  const outbox = await makeOutbox(connection);
  outbox.add({ conversation: 1, body: "one" });
  outbox.add({ conversation: 1, body: "two" });
  await until(() => connection.stored.length === 2);
  equal(new Set(connection.asked.slice(0, 4)).size, 1);
  equal(connection.bodies(), ["one", "two"]);
}

export async function test_rejected_message_fails_with_its_error_and_the_next_is_sent() {
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

export async function test_discarded_message_is_not_sent() {
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

export async function test_offline_messages_are_sent_once_and_in_order_after_a_reload() {
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

export async function test_lost_answer_does_not_create_a_duplicate() {
  const scope = `lost.${Date.now()}`;
  const connection = makeConnection();
  const before = await makeOutbox(connection, { scope });
  const deliver = connection.deliver;
  before.add({ conversation: 1, body: "once" });
  await until(() => connection.asked.length === 1);
  before.disconnect(); // the page is closed before the answer arrives
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

export async function test_other_tab_is_notified_of_sent_and_discarded_messages() {
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

export async function test_outbox_of_another_account_is_not_visible() {
  const connection = makeConnection();
  connection.open = false;
  const mine = await makeOutbox(connection, { scope: `1.${Date.now()}` });
  await mine.add({ conversation: 1, body: "mine" }).kept;
  const theirs = await makeOutbox(connection, { scope: `2.${Date.now()}` });
  equal(theirs.entries(1), []);
  await mine.clear();
  equal(mine.size, 0);
}

export async function test_message_that_cannot_be_stored_is_sent_from_memory() {
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

/** Delete the database, as when clearing the site's data. */
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

export async function test_queue_survives_deletion_of_the_database() {
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

export async function test_emptied_database_does_not_clear_the_queue() {
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

export async function test_database_that_never_opens_does_not_block_sending() {
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

export async function test_database_that_opens_late_is_used_from_then_on() {
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

export async function test_database_that_stops_answering_times_out_only_once() {
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

export async function test_records_of_database_version_1_are_migrated() {
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

export async function test_content_is_kept_whole_across_pages() {
  const scope = newScope();
  const connection = makeConnection();
  connection.open = false;
  const content = { body: "one", reply_to: 5, mood: "glad" };
  const before = await makeOutbox(connection, { scope });
  await before.add({ ...content, conversation: 1 }).kept;
  before.disconnect();
  connection.open = true;
  await makeOutbox(connection, { scope });
  await until(() => connection.stored.length === 1);
  const [record] = connection.stored;
  equal(record.content, content);
  // Open pages of the previous version read these.
  equal([record.body, record.reply_to], ["one", 5]);
}

/** A storage that counts records read and written. */
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

export async function test_cost_per_record_does_not_depend_on_the_queue_length() {
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

export async function test_frozen_tab_holding_the_lock_does_not_block_others_forever() {
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

export async function test_new_tab_receives_records_that_are_only_in_memory() {
  const scope = `memory.${Date.now()}`;
  const connection = makeConnection();
  connection.open = false;
  const one = await makeOutbox(connection, { scope, storage: memoryOnly() });
  await one.add({ conversation: 1, body: "unstored" }).kept;
  const two = await makeOutbox(connection, { scope });
  await until(() => two.size === 1 && two.stored);
  equal(await onDisk(scope), ["unstored"]);
}

export async function test_clear_empties_the_outbox_in_every_tab() {
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

export async function test_outbox_works_without_web_locks() {
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

export async function test_unsent_counts_and_clears_messages_drafts_and_edits() {
  const scope = `41.${Date.now()}`;
  const connection = makeConnection();
  connection.open = false;
  const outbox = await makeOutbox(connection, { scope });
  const drafts = new Drafts(scope, "me my@address");
  const theirs = new Drafts("4.x");
  const sending = {
    outbox,
    drafts,
    get size() {
      return outbox.size + drafts.size;
    },
  };
  const unsent = new Unsent(sending);
  await outbox.add({ conversation: 1, body: "waits" }).kept;
  drafts.write(1, { body: "draft" });
  drafts.write("edit.7", { body: "an edit in progress" });
  new Drafts("41.before-a-restore", "x my@address").write(1, { body: "old" });
  new Drafts("41.another's", "x their@address").write(1, { body: "of who had this id before" });
  theirs.write(1, { body: "somebody else's" });
  const former = await makeOutbox(connection, { scope: "40.before-a-restore" });
  new Drafts("40.before-a-restore", "me old@address");
  await former.add({ conversation: 1, body: "old, too" }).kept;
  equal([sending.size, await unsent.count()], [3, 5]);
  await unsent.clear();
  equal([sending.size, await onDisk(scope), theirs.size], [0, [], 1]);
  equal([new Drafts("41.before-a-restore").size, await onDisk("40.before-a-restore")], [0, []]);
  equal([await unsent.count(), new Drafts("41.another's").size], [0, 1]);
}

export async function test_unsent_text_of_other_accounts_is_removed_after_30_days() {
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
  removeOldDrafts();
  equal(drafts.size, 1);
  removeOldDrafts(later);
  equal(drafts.size, 0);
}
