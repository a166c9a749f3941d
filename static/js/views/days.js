// Arranges the rows of a timeline: a heading before the first message of each day, consecutive messages of an
// author as a group, and no heading or "New" line without a message below it. conversations/web/timeline.py
// has the same golden cases.

import { fill, fromTemplate } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

const ROW = ".message, .notice";
const CHECK = 30_000; // ms between checks whether a new day has begun
const NAMES = { 0: "day.today", 1: "day.yesterday" };

export class Days {
  #inner;
  #times;
  #timer = null;
  #today = ""; // when the headings were last named; empty before connect()
  #ending = new AbortController();

  /** `inner`: the element that contains the rows. */
  constructor({ inner, times }) {
    this.#inner = inner;
    this.#times = times;
  }

  /**
   * Name the headings, and again on every new day. A timer until midnight would be late: it stops while the
   * device sleeps, and the clock can be corrected.
   */
  connect() {
    const { signal } = this.#ending;
    document.addEventListener("visibilitychange", () => this.#nameOnNewDay(), { signal });
    this.#timer = setInterval(() => this.#nameOnNewDay(), CHECK);
    this.#nameAll();
  }

  disconnect() {
    clearInterval(this.#timer);
    this.#ending.abort();
  }

  /** `rows`: those whose heading or group may have changed, with all between them, in order. */
  arrange(rows) {
    let before = null;
    for (const row of rows) {
      this.arrangeRow(row, before);
      before = row;
    }
    for (const lead of this.#inner.querySelectorAll(":scope > .day, :scope > .new-line")) {
      if (!leadsRow(lead)) lead.remove();
    }
  }

  /**
   * `before`: the row before it, or null. A row with `keepsName` is in view, and would move if it lost its name
   * because messages of its author come before it.
   */
  arrangeRow(row, before) {
    const day = this.#times.dayKey(momentOf(row));
    const isFirst = !before || this.#times.dayKey(momentOf(before)) !== day;
    this.#arrangeDay(row, day, isFirst);
    const isAfterLine = row.previousElementSibling?.matches(".new-line") ?? false;
    const goesOn =
      !isFirst &&
      !isAfterLine &&
      row.matches(".message") &&
      before.matches(".message") &&
      before.dataset.author === row.dataset.author &&
      this.#times.isNear(momentOf(before), momentOf(row));
    row.classList.toggle("message--continued", goesOn && !row.keepsName);
  }

  #nameOnNewDay() {
    if (this.#today && this.#times.dayKey(Date.now()) !== this.#today) this.#nameAll();
  }

  /** A page left open past midnight must not keep showing "Today". */
  #nameAll() {
    this.#today = this.#times.dayKey(Date.now());
    for (const heading of this.#inner.querySelectorAll(":scope > .day")) {
      let row = heading.nextElementSibling;
      while (row && !row.matches(ROW)) row = row.nextElementSibling;
      if (row) this.#name(heading, momentOf(row));
    }
  }

  #arrangeDay(row, day, isFirst) {
    const days = [];
    for (let lead = startOf(row); lead !== row; lead = lead.nextElementSibling) {
      if (lead.matches(".day")) days.push(lead);
    }
    const [kept, ...extra] = isFirst ? days : [undefined, ...days];
    for (const each of extra) each.remove();
    if (!isFirst) return;
    this.#nameOnNewDay(); // no second "Today" beside that of yesterday
    const heading = kept ?? fromTemplate("day-template");
    if (!kept) startOf(row).before(heading);
    if (heading.dataset.day === day) return;
    heading.dataset.day = day;
    this.#name(heading, momentOf(row));
  }

  #name(heading, moment) {
    const name = NAMES[this.#times.daysAgo(moment)];
    fill(heading, "day", name ? t(name) : this.#times.day(moment));
  }
}

/** When a message was sent, in ISO format. */
export function momentOf(row) {
  return row.querySelector("time").dateTime;
}

/** The first of `row` and the heading and "New" line above it. */
export function startOf(row) {
  let start = row;
  while (start.previousElementSibling?.matches(".day, .new-line")) start = start.previousElementSibling;
  return start;
}

/** The message or system message before `row`, or null. */
export function previousRow(row) {
  let before = row.previousElementSibling;
  while (before && !before.matches(ROW)) before = before.previousElementSibling;
  return before;
}

function leadsRow(lead) {
  let next = lead.nextElementSibling;
  while (next?.matches(".day, .new-line")) next = next.nextElementSibling;
  return Boolean(next?.matches(ROW));
}
