// How long to wait before opening the socket again.

const FIRST_CEILING = 500; // ms
const EARLY_CEILING = 4_000; // ms, while down for less than a minute
const LATE_CEILING = 30_000; // ms, afterwards
const EARLY = 60_000; // ms

/**
 * Milliseconds before attempt number `attempt` (0, 1, 2, ...) after being down for `downFor` ms.
 *
 * Full jitter: anything between nothing and the ceiling, so that ten thousand pages that lost the
 * same server do not all come back in the same instant.
 */
export function reconnectDelay(attempt, downFor, random = Math.random) {
  const ceiling = downFor < EARLY ? EARLY_CEILING : LATE_CEILING;
  return Math.round(random() * Math.min(ceiling, FIRST_CEILING * 2 ** Math.min(attempt, 10)));
}

/** Milliseconds before sending the same message again: at least half the ceiling, never a storm. */
export function retryDelay(attempt, random = Math.random) {
  const ceiling = Math.min(LATE_CEILING, 1_000 * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}
