// Delays before reconnecting the socket and before resending a message.

const FIRST_CEILING = 500; // ms
const EARLY_CEILING = 4_000; // ms, while down for less than a minute
const LATE_CEILING = 30_000; // ms, afterwards
const EARLY = 60_000; // ms

/**
 * Milliseconds before reconnection attempt `attempt` (0, 1, 2, ...) after `downFor` ms offline.
 *
 * Full jitter, from 0 up to the ceiling: ten thousand pages that lost the same server must not all
 * reconnect at the same moment.
 */
export function reconnectDelay(attempt, downFor, random = Math.random) {
  const ceiling = downFor < EARLY ? EARLY_CEILING : LATE_CEILING;
  return Math.round(random() * Math.min(ceiling, FIRST_CEILING * 2 ** Math.min(attempt, 10)));
}

/** Milliseconds before resending a message: at least half the ceiling, to spare the server. */
export function retryDelay(attempt, random = Math.random) {
  const ceiling = Math.min(LATE_CEILING, 1_000 * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}
