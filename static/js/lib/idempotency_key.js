// The idempotency key of a message: sending it twice creates no duplicate.

/** A random key of 1-64 characters A-Za-z0-9_-. Not from randomUUID, which is missing over plain HTTP. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
