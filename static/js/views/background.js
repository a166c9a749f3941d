// Registers the service worker, which serves the offline page, and loads notifications if they are
// enabled, and their settings or the offer to enable them.

import { loadPrefs } from "chatty/lib/notification_prefs.js";
import { view } from "chatty/views/dom.js";

export function startBackground({ me, scope, chat, conversationList }) {
  const worker = navigator.serviceWorker;
  // Fails on plain HTTP and where it is blocked. Pages work without it.
  worker?.register("/service-worker.js").catch(() => {});
  worker?.ready.then(({ active }) => worker.controller ?? active.postMessage("claim"));
  const prefs = () => loadPrefs(me);
  let started = !navigator.locks;
  const start = async () => {
    if (started) return;
    started = true;
    const [{ Notifier }, notifications, sound] = await Promise.all(
      ["notifier", "system_notifications", "notification_sound"].map(view),
    );
    new Notifier({ me, scope, conversationList, chat, prefs, notifications, sound }).connect();
  };
  const { banners, sound, settled } = prefs();
  if (banners || sound) start();
  const place = document.getElementById("notify-settings");
  const line = document.getElementById("notify-offer");
  if (!place && settled) return;
  view("notification_settings").then(({ NotificationSettings, offer }) => {
    if (place) new NotificationSettings({ place, me, onTurnedOn: start }).connect();
    else offer(line, me);
  });
}
