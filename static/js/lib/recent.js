// The conversations that were opened last in this browser.

/**
 * Their ids, latest first. views/sidebar.js notes them, each followed by a comma; the end may be cut off.
 * `scope` identifies account and epoch.
 */
export function recent(scope) {
  try {
    const ids = localStorage[`chatty.recent.${scope}`]?.match(/\d+(?=,)/g) ?? [];
    return [...new Set(ids.map(Number))];
  } catch {
    return []; // the storage is blocked
  }
}
