// What goes on while nobody looks: loads what tells of new messages, for who wants it, and the ways to
// want it; and the service worker, which answers when nothing else does.

import { wishesOf } from "chatty/lib/wishes.js";
import { view } from "chatty/views/dom.js";

export function tellInBackground({ me, scope, chat, roster }) {
  const worker = navigator.serviceWorker;
  // Refused on plain http and where it is forbidden: pages do without.
  worker?.register("/service-worker.js").catch(() => {});
  worker?.ready.then(({ active }) => worker.controller ?? active.postMessage("claim"));
  const wishes = () => wishesOf(me);
  let started = !navigator.locks;
  const start = async () => {
    if (started) return;
    started = true;
    const [{ Notifier }, banners, tone] = await Promise.all(
      ["notifier", "banners", "tone"].map(view),
    );
    new Notifier({ me, scope, roster, chat, wishes, banners, tone }).connect();
  };
  const { banners, sound, settled } = wishes();
  if (banners || sound) start();
  const place = document.getElementById("notify-settings");
  const line = document.getElementById("notify-offer");
  if (!place && settled) return;
  view("notify_settings").then(({ NotifySettings, offer }) => {
    if (place) new NotifySettings({ place, me, onTurnedOn: start }).connect();
    else offer(line, me);
  });
}
