// The emoji that an account has used in this browser, the latest first, and its skin tone: {recent, tone}.

import { plainOf, TONES } from "chatty/lib/emoji.js";

const KEPT = 36;
const keyOf = (me) => `chatty.emoji.${me}`;

/** `tone`: a number of TONES in emoji.js. */
export function loadChoices(me) {
  try {
    const { recent = [], tone = 0 } = JSON.parse(localStorage.getItem(keyOf(me))) ?? {};
    return { recent: recent.filter((each) => typeof each === "string"), tone: TONES[tone] ? tone : 0 };
  } catch {
    return { recent: [], tone: 0 };
  }
}

export function saveTone(me, tone) {
  save(me, { ...loadChoices(me), tone });
}

export function noteUse(me, emoji) {
  const { recent, tone } = loadChoices(me);
  const others = recent.filter((each) => plainOf(each) !== plainOf(emoji));
  save(me, { recent: [emoji, ...others].slice(0, KEPT), tone });
}

function save(me, choices) {
  try {
    localStorage.setItem(keyOf(me), JSON.stringify(choices));
  } catch {
    // Storage is blocked: the change is lost.
  }
}
