// Times of pages, for people without a time zone in their profile: in that of the device, as in the timeline. The server
// doesn't know it.

import { setText } from "chatty/views/dom.js";
import { shortMoment } from "chatty/views/short_moment.js";

/**
 * @param {HTMLTimeElement} time a short one has the whole as its title
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(time, { times }) {
  const moment = time.dateTime;
  const text = times.full(moment);
  if (time.title) time.title = text;
  setText(time, time.title ? shortMoment(moment, times) : text);
}
