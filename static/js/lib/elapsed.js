// Measures time that has passed. Two readings of the device's clock are not enough: it can be corrected in
// between, and a difference below zero would count as "just now" for hours. performance.now() alone is not
// either: in some browsers it stops while the device sleeps.

/** A moment of this page, for elapsedSince(). */
export function momentNow() {
  return { ticks: performance.now(), clock: Date.now() };
}

/** Milliseconds since a moment of momentNow(), never below zero. Infinity since `null`. */
export function elapsedSince(moment) {
  if (!moment) return Infinity;
  return Math.max(performance.now() - moment.ticks, Date.now() - moment.clock);
}

/**
 * Whether a stored time, in milliseconds since 1970, is less than `span` ms ago. A time in the future is
 * not: the clock was ahead when it was stored.
 */
export function isRecent(stored, span, now = Date.now()) {
  return stored <= now && now - stored < span;
}
