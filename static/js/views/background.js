// Loads notifications if they are enabled, and the offer to enable them. Keeps the browser from leaving the page for a
// file.

import { loadPrefs } from "chatty/lib/notification_prefs.js";
import { view } from "chatty/views/dom.js";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  addEventListener("dragover", refuseFiles);
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

/** Of files that are dropped where nothing takes them: see attach_start.js. */
function refuseFiles(event) {
  const { dataTransfer, target } = event;
  if (event.defaultPrevented || !dataTransfer.types.includes("Files") || target.closest?.("[type=file]"))
    return;
  event.preventDefault();
  dataTransfer.dropEffect = "none"; // then there is no "drop"
}
