// Loads notifications if they are enabled, and the offer to enable them.

import { loadPrefs } from "chatty/lib/notification_prefs.js";
import { view } from "chatty/views/dom.js";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  let started = !navigator.locks;
  const notify = () => {
    if (!started) view("notifier").then(({ startNotifier }) => startNotifier(page));
    started = true;
  };
  const { banners, sound, settled } = loadPrefs(page.me.id);
  if (banners || sound) notify();
  if (!settled) view("notification_offer").then(({ offer }) => offer(page.me.id));
  return { notify };
}
