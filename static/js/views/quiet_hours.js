// Quiet hours: there are no notifications in them, and places for it say "Quiet until 08:00". These are only there for
// people who have quiet hours.

import { loadPrefs } from "chatty/lib/notification_prefs.js";
import { Times } from "chatty/lib/times.js";

const MINUTE = 60_000; // ms

/** @param {import("chatty/views/page.js").Page} page */
export function connect(place, page) {
  const { me, socket } = page;
  let timer = null;
  const show = () => {
    clearTimeout(timer);
    const { quiet_hours: hours, hour_cycle: cycle } = me;
    const now = Date.now();
    const isOn = isQuiet(hours, now);
    const text = isOn ? place.dataset.text.replace("{time}", clockText(hours.end, cycle)) : "";
    if (place.textContent !== text) place.textContent = text;
    place.hidden = !isOn;
    timer = setTimeout(show, MINUTE - (now % MINUTE));
  };
  const stop = follow(socket, me, show);
  show();
  return {
    disconnect() {
      clearTimeout(timer);
      stop();
    },
  };
}

/** A time of the day, as the reader wants it. */
function clockText(time, cycle) {
  return new Times({ zone: "UTC", cycle }).clock(`1970-01-01T${time}Z`);
}

/**
 * Whether a moment is in quiet hours: each day from `start` up to `end`, also past midnight, by the clocks of their
 * zone. accounts/quiet_hours.py has the same rule.
 * @param {Wire.QuietHours | null} hours
 * @param {number | string} moment
 */
export function isQuiet(hours, moment) {
  if (!hours) return false;
  const { start, end, zone } = hours;
  const now = new Times({ zone }).clock(moment);
  return start < end ? start <= now && now < end : now >= start || now < end;
}

/**
 * Keep the quiet hours of the account as they are on the server. Returns what ends it.
 * @param {import("chatty/chat/socket.js").Socket} socket
 */
function follow(socket, me, work = () => {}) {
  const onFrame = ({ quiet_hours: hours }) => {
    if (hours === undefined) return; // a frame of another type
    me.quiet_hours = hours;
    work();
  };
  const stops = ["hello", "frame"].map((type) => socket.on(type, onFrame));
  return () => {
    for (const stop of stops) stop();
  };
}

/** Returns a function with the preferences of the account that are in force: none in its quiet hours. */
export function prefsNow(socket, me) {
  follow(socket, me);
  return (id) => (isQuiet(me.quiet_hours ?? null, Date.now()) ? {} : loadPrefs(id));
}
