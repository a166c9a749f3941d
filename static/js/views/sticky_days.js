// The heading of the day that is read stays at the top of the timeline. Those of earlier days would be seen behind it
// where they are wider.

/** `list`: the rows of the timeline. Called with each movement of it. */
export function hidePassed(list) {
  list.classList.add("timeline--days");
  const days = [...list.querySelectorAll(":scope > .day")];
  const tops = days.map((day) => day.getBoundingClientRect().top);
  days.forEach((day, index) => {
    const isPassed = index + 1 < days.length && tops[index + 1] - tops[index] < day.offsetHeight;
    day.classList.toggle("day--passed", isPassed);
  });
}
