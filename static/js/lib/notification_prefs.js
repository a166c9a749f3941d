// Notification preferences of an account in this browser: {banners, sound, settled}. `settled`: the
// offer to turn notifications on was answered. Kept after signing out, as they reveal nothing private.

const keyOf = (me) => `chatty.notify.${me}`;

export function loadPrefs(me) {
  try {
    return JSON.parse(localStorage.getItem(keyOf(me))) ?? {};
  } catch {
    return {};
  }
}

export function savePrefs(me, changes) {
  try {
    localStorage.setItem(keyOf(me), JSON.stringify({ ...loadPrefs(me), ...changes }));
  } catch {
    // Storage is blocked: the change is lost.
  }
}
