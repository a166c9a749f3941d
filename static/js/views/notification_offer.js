// The offer in the sidebar to turn on notifications, until it is dismissed.

import { loadPrefs, savePrefs } from "chatty/lib/notification_prefs.js";

/** Show the offer, unless it was dismissed or notifications can't be enabled. */
export function offer(me) {
  if (document.getElementById("notify-settings") || stateFor(me) !== "ask") return;
  const line = document.getElementById("notify-offer");
  line.hidden = false;
  line.querySelector("button").addEventListener("click", () => {
    savePrefs(me, { settled: true });
    line.remove();
  });
}

/** Whether notifications are on in this browser, or why they aren't. */
export function stateFor(me) {
  if (!globalThis.isSecureContext) return "insecure";
  if (!("Notification" in globalThis) || !navigator.locks) return "unsupported";
  if (Notification.permission === "denied") return "denied";
  if (Notification.permission === "default") return "ask";
  return loadPrefs(me).banners ? "on" : "off";
}
