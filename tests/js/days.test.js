import { Days } from "chatty/views/days.js";
import { equal } from "tests/assert.js";

const PAGE = `<template id="day-template"><div class="day"><span data-slot="day"></span></div></template>
  <div id="inner"></div>`;

/** An open page on day 5. Moments are numbers of days, and so are names, but of today and yesterday. */
function opened() {
  document.body.innerHTML = PAGE;
  const inner = document.getElementById("inner");
  const times = {
    today: 5,
    dayKey: (moment) => String(moment > 1_000 ? times.today : Number(moment)),
    daysAgo: (moment) => times.today - moment,
    day: String,
    isNear: () => false,
  };
  const days = new Days({ inner, times });
  const add = (moment) => {
    const row = document.createElement("div");
    row.className = "message";
    row.innerHTML = `<time datetime="${moment}"></time>`;
    const before = inner.lastElementChild;
    inner.append(row);
    days.arrangeRow(row, before);
  };
  const headings = () => [...inner.querySelectorAll(".day")].map((each) => each.textContent);
  return { days, times, add, headings };
}

export function test_today_becomes_yesterday_when_the_first_message_of_a_new_day_arrives() {
  const { days, times, add, headings } = opened();
  add(4);
  add(5);
  days.connect();
  equal(headings(), ["day.yesterday", "day.today"]);
  times.today = 6;
  add(6);
  equal(headings(), ["4", "day.yesterday", "day.today"]);
  days.disconnect();
}

export function test_page_that_stays_visible_over_midnight_names_its_days_again() {
  const real = globalThis.setInterval;
  let tick;
  globalThis.setInterval = (work) => {
    tick = work;
  };
  const { days, times, add, headings } = opened();
  add(5);
  days.connect();
  globalThis.setInterval = real;
  tick();
  equal(headings(), ["day.today"]);
  times.today = 6;
  tick();
  equal(headings(), ["day.yesterday"]);
  days.disconnect();
}
