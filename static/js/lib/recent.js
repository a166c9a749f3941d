// The conversations that were opened last in this browser, latest first: their ids.

const MOST = 50;

/** `scope` identifies account and epoch. */
export function recent(scope) {
  try {
    return JSON.parse(localStorage.getItem(keyOf(scope))) ?? [];
  } catch {
    return [];
  }
}

export function noteOpened(scope, id) {
  const others = recent(scope).filter((each) => each !== id);
  try {
    localStorage.setItem(keyOf(scope), JSON.stringify([id, ...others].slice(0, MOST)));
  } catch {
    // The storage is full or blocked.
  }
}

function keyOf(scope) {
  return `chatty.recent.${scope}`;
}
