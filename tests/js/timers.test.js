import { Timers } from "chatty/lib/timers.js";
import { equal, pause } from "tests/assert.js";

export async function test_timer_of_the_same_name_replaces_the_former() {
  const timers = new Timers();
  const done = [];
  timers.set("a", 0, () => done.push("former"));
  timers.set("a", 0, () => done.push("a"));
  timers.set("b", 0, () => done.push("b"));
  timers.set("c", 0, () => done.push("c"));
  timers.clear("c");
  equal([timers.has("a"), timers.has("c")], [true, false]);
  await pause(5);
  equal([done, timers.has("a")], [["a", "b"], false]);
}

export async function test_closed_timers_do_nothing_more() {
  const timers = new Timers();
  const done = [];
  timers.set("before", 0, () => done.push("before"));
  timers.close();
  timers.set("after", 0, () => done.push("after"));
  await pause(5);
  equal([done, timers.has("before"), timers.has("after")], [[], false, false]);
}
