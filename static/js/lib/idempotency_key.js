// A message's key: what makes sending it twice the same as sending it once.

/** A random key of 1-64 characters A-Za-z0-9_-. Works on plain http too, where randomUUID is absent. */
export function newKey() {
  if (globalThis.crypto?.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
