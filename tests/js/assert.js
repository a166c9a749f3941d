// Assertions and helpers for the JavaScript tests.

export function equal(found, wanted, about = "") {
  const [a, b] = [found, wanted].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${about}\n  found  ${a}\n  wanted ${b}`);
}

export function ok(truth, about) {
  if (!truth) throw new Error(about ?? "not so");
}

/** A seeded random number generator for numbers from 0 to 1 (mulberry32). */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pause(ms = 0) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Wait until `truth()` is true. Fails after ten seconds, on a busy machine. */
export async function until(truth, about = "waited in vain") {
  const end = Date.now() + 10_000;
  while (!(await truth())) {
    if (Date.now() > end) throw new Error(`${about}: ${truth}`);
    await pause(5);
  }
}

/** Run `work(advance)`, where advance({ticks, clock}) lets the time pass that each of them shows. */
export function withClocks(work) {
  const [ticks, clock] = [performance.now, Date.now];
  const now = { ticks: 1_000, clock: 1_800_000_000_000 };
  performance.now = () => now.ticks;
  Date.now = () => now.clock;
  const advance = (by) => {
    now.ticks += by.ticks ?? 0;
    now.clock += by.clock ?? 0;
  };
  try {
    return work(advance);
  } finally {
    [performance.now, Date.now] = [ticks, clock];
  }
}
