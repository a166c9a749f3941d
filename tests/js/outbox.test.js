import { Outbox } from "chatty/chat/outbox.js";
import { MemoryShelf, openShelf } from "chatty/chat/shelf.js";
import { equal, ok, pause, until } from "tests/check.js";

let scopes = 0;

/** A server that stores by key and can be told how to answer. */
function makeLine() {
  const line = { open: true, stored: [], asked: [], busy: 0, most: 0, answers: [] };
  line.deliver = async (record) => {
    line.asked.push(record.key);
    line.busy += 1;
    line.most = Math.max(line.most, line.busy);
    await pause(2);
    line.busy -= 1;
    const answer = line.answers.shift();
    if (answer) throw answer;
    if (!line.stored.some(({ key }) => key === record.key)) line.stored.push(record);
    return { id: line.stored.length, seq: line.stored.length, version: line.stored.length };
  };
  line.deliver.ready = () => line.open;
  line.bodies = () => line.stored.map(({ body }) => body);
  return line;
}

async function makeOutbox(line, { scope = `test.${(scopes += 1)}`, shelf } = {}) {
  const outbox = new Outbox({
    scope,
    shelf: shelf ?? (await openShelf(scope)),
    deliver: line.deliver,
    delay: () => 10,
  });
  await outbox.connect();
  return outbox;
}

const RETRY = { code: "busy", detail: "Busy.", retry: true };
const REFUSED = { code: "too_long", detail: "That is too long.", retry: false };

export async function test_words_leave_in_the_order_they_were_written() {
  const line = makeLine();
  const outbox = await makeOutbox(line);
  for (const body of ["one", "two", "three"]) outbox.add({ conversation: 1, body });
  await until(() => outbox.size === 0 && line.stored.length === 3);
  equal(line.bodies(), ["one", "two", "three"]);
  equal(line.most, 1, "one in flight per conversation");
}

export async function test_words_are_shown_at_once_and_kept_before_they_are_sent() {
  const line = makeLine();
  line.open = false;
  const outbox = await makeOutbox(line);
  const { record, kept } = outbox.add({ conversation: 1, body: "one" });
  equal(outbox.entries(1).map(({ key, state }) => [key, state]), [[record.key, "queued"]]);
  await kept;
  equal(line.asked, []);
}

export async function test_another_conversation_does_not_wait() {
  const line = makeLine();
  line.answers = Array(50).fill(RETRY);
  const outbox = await makeOutbox(line);
  outbox.add({ conversation: 1, body: "stuck" });
  await until(() => line.asked.length > 1);
  line.answers = [];
  outbox.add({ conversation: 2, body: "free" });
  await until(() => line.bodies().includes("free"));
}

export async function test_what_may_work_later_is_tried_again_with_the_same_key() {
  const line = makeLine();
  line.answers = [RETRY, RETRY, RETRY];
  const outbox = await makeOutbox(line);
  outbox.add({ conversation: 1, body: "one" });
  outbox.add({ conversation: 1, body: "two" });
  await until(() => line.stored.length === 2);
  equal(new Set(line.asked.slice(0, 4)).size, 1);
  equal(line.bodies(), ["one", "two"]);
}

export async function test_what_is_refused_fails_in_words_and_the_next_goes_on() {
  const line = makeLine();
  line.answers = [REFUSED];
  const outbox = await makeOutbox(line);
  const { record } = outbox.add({ conversation: 1, body: "bad" });
  outbox.add({ conversation: 1, body: "good" });
  await until(() => line.stored.length === 1 && outbox.size === 1);
  equal(line.bodies(), ["good"]);
  const [failed] = outbox.entries(1);
  equal([failed.key, failed.state, failed.failure.detail], [record.key, "failed", "That is too long."]);
  await outbox.retry(record.key);
  await until(() => line.stored.length === 2);
  equal(line.stored[1].key, record.key);
}

export async function test_discarded_words_never_leave() {
  const line = makeLine();
  line.open = false;
  const outbox = await makeOutbox(line);
  const first = outbox.add({ conversation: 1, body: "no" });
  const second = outbox.add({ conversation: 1, body: "yes" });
  await Promise.all([first.kept, second.kept]);
  equal((await outbox.discard(first.record.key)).body, "no");
  line.open = true;
  outbox.kick();
  await until(() => line.stored.length === 1);
  equal(line.bodies(), ["yes"]);
}

export async function test_words_written_offline_leave_once_and_in_order_after_a_reload() {
  const scope = `reload.${Date.now()}`;
  const dead = makeLine();
  dead.open = false;
  const before = await makeOutbox(dead, { scope });
  const written = ["1", "2", "3", "4", "5"];
  for (const body of written) await before.add({ conversation: 1, body }).kept;
  before.disconnect();
  const line = makeLine();
  const after = await makeOutbox(line, { scope });
  await until(() => line.stored.length === 5 && after.size === 0);
  equal(line.bodies(), written);
  equal(line.asked.length, 5);
}

export async function test_an_answer_that_was_lost_does_not_make_a_second_message() {
  const scope = `lost.${Date.now()}`;
  const line = makeLine();
  const before = await makeOutbox(line, { scope });
  const deliver = line.deliver;
  before.add({ conversation: 1, body: "once" });
  await until(() => line.asked.length === 1);
  before.disconnect(); // the page goes while the answer is on its way
  const again = makeLine();
  again.deliver = deliver;
  const after = await makeOutbox({ ...line, deliver }, { scope });
  await until(() => after.size === 0);
  equal(line.bodies(), ["once"]);
}

export async function test_two_tabs_send_each_message_once() {
  const scope = `tabs.${Date.now()}`;
  const line = makeLine();
  line.open = false;
  const [one, two] = [await makeOutbox(line, { scope }), await makeOutbox(line, { scope })];
  for (let count = 0; count < 6; count += 1) {
    await (count % 2 ? one : two).add({ conversation: 1, body: `${count}` }).kept;
  }
  await until(() => one.entries(1).length === 6 && two.entries(1).length === 6);
  line.open = true;
  one.kick();
  two.kick();
  await until(() => line.stored.length === 6 && !one.size && !two.size);
  equal(line.bodies(), ["0", "1", "2", "3", "4", "5"]);
  equal(line.asked.length, 6);
  equal(line.most, 1);
}

export async function test_the_other_tab_sees_what_is_sent_and_what_is_discarded() {
  const scope = `seen.${Date.now()}`;
  const line = makeLine();
  line.open = false;
  const [one, two] = [await makeOutbox(line, { scope }), await makeOutbox(line, { scope })];
  const heard = [];
  two.on("sent", ({ record }) => heard.push(["sent", record.body]));
  two.on("discarded", ({ record }) => heard.push(["discarded", record.body]));
  const first = one.add({ conversation: 1, body: "a" });
  const second = one.add({ conversation: 1, body: "b" });
  await Promise.all([first.kept, second.kept]);
  await one.discard(first.record.key);
  line.open = true;
  one.kick();
  await until(() => heard.length === 2);
  equal(heard, [["discarded", "a"], ["sent", "b"]]);
}

export async function test_nobody_finds_the_words_of_another_person() {
  const line = makeLine();
  line.open = false;
  const mine = await makeOutbox(line, { scope: `1.${Date.now()}` });
  await mine.add({ conversation: 1, body: "mine" }).kept;
  const theirs = await makeOutbox(line, { scope: `2.${Date.now()}` });
  equal(theirs.entries(1), []);
  await mine.clear();
  equal(mine.size, 0);
}

export async function test_what_the_disk_refuses_is_kept_in_memory_and_sent() {
  const full = {
    all: async () => [],
    add: () => Promise.reject(new DOMException("full", "QuotaExceededError")),
    put: async () => {},
    remove: async () => {},
    clear: async () => {},
    close() {},
  };
  const { SteadyShelf } = await import("chatty/chat/shelf.js");
  const line = makeLine();
  const outbox = await makeOutbox(line, { shelf: new SteadyShelf(full) });
  outbox.add({ conversation: 1, body: "kept" });
  await until(() => line.stored.length === 1 && outbox.size === 0);
}

export async function test_it_works_where_there_are_no_locks() {
  const line = makeLine();
  const outbox = new Outbox({
    scope: "none",
    shelf: new MemoryShelf(),
    deliver: line.deliver,
    locks: null,
    delay: () => 5,
  });
  await outbox.connect();
  for (const body of ["one", "two"]) outbox.add({ conversation: 1, body });
  await until(() => line.stored.length === 2);
  ok(line.most === 1);
}
