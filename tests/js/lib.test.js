import { reconnectDelay, retryDelay } from "chatty/lib/backoff.js";
import { Emitter, BufferedEmitter } from "chatty/lib/emitter.js";
import { newKey } from "chatty/lib/idempotency_key.js";
import { folded, rank } from "chatty/lib/match.js";
import { initials } from "chatty/lib/people.js";
import { bodyLength, excerpt, isBlank, tidyBody } from "chatty/lib/text.js";
import { Times } from "chatty/lib/times.js";
import { equal, ok } from "tests/assert.js";

export function test_reconnecting_waits_half_a_second_at_first_and_four_in_the_first_minute() {
  const most = () => 1;
  equal(
    [0, 1, 2, 3, 4, 50].map((attempt) => reconnectDelay(attempt, 1_000, most)),
    [500, 1_000, 2_000, 4_000, 4_000, 4_000],
  );
  equal(reconnectDelay(50, 61_000, most), 30_000);
}

export function test_reconnecting_is_spread_over_the_whole_wait() {
  equal(
    [0, 0.25, 0.5].map((dice) => reconnectDelay(9, 0, () => dice)),
    [0, 1_000, 2_000],
  );
}

export function test_sending_again_never_comes_at_once() {
  ok(retryDelay(0, () => 0) >= 500);
  ok(retryDelay(99, () => 1) <= 30_000);
}

export function test_who_comes_late_hears_everything_in_order_and_then_as_it_is_said() {
  const chat = new Emitter();
  const socket = new Emitter();
  const late = new BufferedEmitter([chat, "message", "typing"], [socket, "frame"]);
  const heard = [];
  for (const [emitter, type] of [
    [chat, "typing"],
    [socket, "frame"],
    [chat, "message"],
    [chat, "other"],
  ]) {
    emitter.emit(type, type);
  }
  for (const type of ["message", "typing", "frame", "other"]) late.on(type, (word) => heard.push(word));
  equal(heard, []);
  late.replay();
  equal(heard, ["typing", "frame", "message"]);
  chat.emit("message", "again");
  equal(heard.at(-1), "again");
}

export function test_a_listener_that_throws_does_not_silence_the_others() {
  const emitter = new Emitter();
  const heard = [];
  globalThis.reportError = () => heard.push("reported");
  emitter.on("word", () => {
    throw new Error("mine");
  });
  const stop = emitter.on("word", (word) => heard.push(word));
  emitter.emit("word", "one");
  stop();
  emitter.emit("word", "two");
  equal(heard, ["reported", "one", "reported"]);
}

export function test_keys_are_of_the_shape_the_server_takes_and_never_the_same() {
  const keys = new Set(Array.from({ length: 1_000 }, newKey));
  equal(keys.size, 1_000);
  for (const key of keys) ok(/^[A-Za-z0-9_-]{1,64}$/.test(key), key);
}

export function test_a_body_is_measured_in_code_points_after_tidying() {
  equal(bodyLength("\n \r\n  a😀e\u0301  \n"), 5); // two blanks of indent, a, one emoji, é
  equal(tidyBody("\n\n  code\r\nmore\n\n"), "  code\nmore");
}

export function test_what_looks_like_nothing_is_blank() {
  for (const text of ["", " \n\t", "\u200b\u2060", "\u3164"]) ok(isBlank(text), JSON.stringify(text));
  ok(!isBlank(" . "));
}

export function test_an_excerpt_is_one_line_of_limited_length() {
  equal(excerpt("a\n  b\tc"), "a b c");
  equal(excerpt("😀".repeat(10), 4), "😀😀😀…");
}

export function test_initials_are_those_the_server_draws() {
  equal(["Ada Lovelace", "bob", "李明", "  ", "- x y", "Ada B. Lovelace"].map(initials), [
    "AL",
    "B",
    "李",
    "",
    "XY",
    "AL",
  ]);
}

export function test_days_follow_the_users_time_zone() {
  const moment = "2026-11-23T23:30:00.000Z";
  equal(new Times({ zone: "UTC" }).dayKey(moment), "2026-11-23");
  equal(new Times({ zone: "Asia/Tokyo" }).dayKey(moment), "2026-11-24");
  equal(new Times({ zone: "Asia/Tokyo" }).clock(moment), "08:30");
}

export function test_a_zone_nobody_knows_is_taken_for_the_browsers_own() {
  const own = new Times({}).clock("2026-11-23T12:00:00Z");
  equal(new Times({ zone: "Mars/Base" }).clock("2026-11-23T12:00:00Z"), own);
}

export function test_days_ago_counts_days_not_hours() {
  const times = new Times({ zone: "Europe/Berlin" });
  equal(times.daysAgo("2026-11-22T22:59:00Z", Date.parse("2026-11-22T23:01:00Z")), 1);
  // The night the clocks go back has 25 hours and is still one day.
  equal(times.daysAgo("2026-10-24T12:00:00Z", Date.parse("2026-10-25T22:30:00Z")), 1);
}

export function test_the_year_is_named_only_when_it_is_another() {
  const times = new Times({ zone: "UTC", language: "en" });
  const now = Date.parse("2026-11-23T12:00:00Z");
  ok(!times.day("2026-01-05T12:00:00Z", now).includes("2026"));
  ok(times.day("2025-01-05T12:00:00Z", now).includes("2025"));
}

export function test_five_minutes_apart_is_still_one_group() {
  const times = new Times({});
  ok(times.isNear("2026-11-23T12:00:00.000Z", "2026-11-23T12:05:00.000Z"));
  ok(!times.isNear("2026-11-23T12:00:00.000Z", "2026-11-23T12:05:00.001Z"));
}

export function test_names_are_found_without_their_accents() {
  equal(folded(" Łódź Straße "), "lodz strasse");
  equal(folded("ＪＯＳÉ"), "jose");
  equal(rank("Tomás Rivera", "tomas"), 0);
  equal(rank("Tomas Rivera", "TOMÁS r"), 0);
  equal(rank("İpek Yılmaz", "ipek yil"), 0);
  equal(rank("李明", "明"), 2);
}

export function test_a_beginning_fits_better_than_a_middle_and_strange_letters_fit_nothing() {
  const fits = (typed) => rank("Build & ship", typed);
  equal(["bui", "ship", "sh bu", "uil", "bsp", "bship", "x", "pb"].map(fits), [0, 1, 1, 2, 3, 3, null, null]);
  equal(rank("Anything", ""), 0);
}
