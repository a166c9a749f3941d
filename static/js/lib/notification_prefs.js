// What somebody wants of this browser when messages come and nobody looks: {banners, sound, settled}.
// `settled`: the offer was answered. Kept per person, and not cleared on signing out: it tells nothing.

const name = (me) => `chatty.notify.${me}`;

export function loadPrefs(me) {
  try {
    return JSON.parse(localStorage.getItem(name(me))) ?? {};
  } catch {
    return {};
  }
}

export function savePrefs(me, changes) {
  try {
    localStorage.setItem(name(me), JSON.stringify({ ...loadPrefs(me), ...changes }));
  } catch {
    // Storage is forbidden: it holds for no longer than the page.
  }
}
