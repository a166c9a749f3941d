import { announceWithin } from "chatty/views/announce_within.js";
import { announce } from "chatty/views/live_region.js";
import { toast } from "chatty/views/toast.js";
import { equal, pause } from "tests/assert.js";

const LIVE = "[role=alert], [role=status], [role=log], [aria-live]";

/** The texts that are added to a region that was empty before: all that screen readers say. */
function region() {
  document.body.innerHTML = '<div id="announcer" aria-live="polite"></div>';
  const said = [];
  const place = document.getElementById("announcer");
  const note = (changes) => {
    for (const { addedNodes } of changes) said.push(...[...addedNodes].map((each) => each.textContent));
  };
  new MutationObserver(note).observe(place, { childList: true });
  return { place, said };
}

export async function test_same_text_is_announced_again() {
  const { said } = region();
  announce("Text copied");
  announce("Text copied");
  announce("");
  await pause();
  equal(said, ["Text copied", "Text copied"]);
}

export async function test_second_announcement_does_not_replace_one_of_the_same_moment() {
  const { place } = region();
  announce("one");
  announce("two");
  equal(
    [...place.children].map((each) => each.textContent),
    ["one", "two"],
  );
  await pause(600);
  announce("three");
  equal(place.textContent, "three");
}

export async function test_toasts_are_announced_by_the_region_and_not_by_themselves() {
  const { said } = region();
  toast.error("Not sent");
  toast.info("Text copied");
  await pause();
  equal(said, ["Not sent", "Text copied"]);
  equal(document.querySelectorAll(LIVE).length, 1);
}

export async function test_live_regions_of_an_inserted_page_are_announced_instead() {
  const { said } = region();
  const page = document.createElement("div");
  page.innerHTML = `<ul role="status"><li>Added\n 1 person.</li></ul><p role="alert">Too long</p><p>Else</p>`;
  announceWithin(page);
  document.body.append(page);
  await pause();
  equal(said, ["Added 1 person.", "Too long"]);
  equal(document.querySelectorAll(LIVE).length, 1);
}
