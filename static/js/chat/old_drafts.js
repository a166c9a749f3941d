// Removes drafts that were not touched for 30 days, of every account, and the records of their authors.

const NAMES = /^chatty\.(draft|writer)\./; // as in drafts.js
const LIFETIME = 30 * 86_400_000; // ms

export function removeOldDrafts(now = Date.now()) {
  for (const name of names()) {
    try {
      const { at = now } = JSON.parse(localStorage.getItem(name));
      if (now - at > LIFETIME) localStorage.removeItem(name);
    } catch {
      // Not written by Chatty.
    }
  }
}

function names() {
  try {
    return Object.keys(localStorage).filter((name) => NAMES.test(name));
  } catch {
    return []; // blocked
  }
}
