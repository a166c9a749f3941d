import { equal } from "tests/assert.js";

/**
 * Open a page in this language: GOLDEN_PAGE of tests/browser/test_modules.py. Its scripts are apart from those
 * of other frames.
 */
async function open(language) {
  const frame = document.createElement("iframe");
  frame.src = `/golden/${language}/`;
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
  document.body.append(frame);
  await loaded;
  return frame.contentWindow.golden;
}

export async function test_golden_cases_have_the_same_results_as_on_the_server() {
  const pages = [await open("en"), await open("de")];
  const files = await (await fetch("/golden/files/")).json();
  equal([...pages[0].NAMES].sort(), Object.keys(files).sort());
  const found = [];
  for (const [rule, cases] of Object.entries(files)) {
    for (const page of pages) found.push(...(await page.differences(rule, cases)));
  }
  if (found.length) throw new Error(`input, expected, found:\n${found.join("\n")}`);
}
