// The idempotency key of a message: sending it twice creates no duplicate.

/** A random key of 1-64 characters A-Za-z0-9_-. Also works over plain HTTP, where randomUUID is missing. */
export function newKey() {
  if (globalThis.crypto?.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
