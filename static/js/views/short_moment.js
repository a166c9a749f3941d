// When something was written, as briefly as the list of conversations says it. Has the same golden cases as short_text()
// in conversations/web/moments.py.

import { t } from "chatty/views/i18n.js";

/**
 * "15:38", "Yesterday", "Wed", "23 Nov", or a date with its year.
 * @param {string} moment
 * @param {import("chatty/lib/times.js").Times} times
 */
export function shortMoment(moment, times) {
  const days = times.daysAgo(moment);
  if (days <= 0) return times.clock(moment);
  if (days === 1) return t("day.yesterday");
  const [y, m, d] = times.dayKey(moment).split("-");
  if (days > 364) return t("date.short", { d, m, y });
  const isNear = days < 7;
  const { lang } = document.documentElement;
  const language = lang && lang !== "en" ? lang : "en-GB";
  /** @type {Intl.DateTimeFormatOptions} */
  const options = { [isNear ? "weekday" : "month"]: "short", timeZone: "UTC" };
  // Browsers differ in how they shorten, as in "Sept".
  const name = new Intl.DateTimeFormat(language, options).format(new Date(`${y}-${m}-${d}`)).slice(0, 3);
  return isNear ? name : t("date.month", { d: Number(d), m: name });
}
