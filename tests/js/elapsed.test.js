import { elapsedSince, isRecent, momentNow } from "chatty/lib/elapsed.js";
import { equal, ok, withClocks } from "tests/assert.js";

const HOUR = 3_600_000;

export function test_elapsed_time_ignores_that_the_clock_is_set_back() {
  withClocks((advance) => {
    const start = momentNow();
    advance({ ticks: 5_000, clock: 5_000 - HOUR });
    equal(elapsedSince(start), 5_000);
  });
}

export function test_elapsed_time_includes_the_sleep_of_the_device() {
  withClocks((advance) => {
    const start = momentNow();
    advance({ ticks: 10, clock: HOUR });
    equal(elapsedSince(start), HOUR);
  });
}

export function test_what_never_was_is_infinitely_long_ago() {
  equal([elapsedSince(null) === Infinity, elapsedSince(undefined) === Infinity], [true, true]);
}

export function test_stored_time_in_the_future_is_not_recent() {
  equal(
    [999, 1_000, 1_001].map((now) => isRecent(1_000, 10, now)),
    [false, true, true],
  );
  ok(!isRecent(1_000, 10, 1_010));
}
