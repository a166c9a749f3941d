// The emoji of the picker and of suggestions: the files in static/emoji/, which docs/emoji.py makes.

import { folded } from "chatty/lib/match.js";

/** Skin tones. The first is none. */
export const TONES = ["", "🏻", "🏼", "🏽", "🏾", "🏿"];

let loading = null;

/**
 * The groups of emoji: [{key, all: [emoji]}], each emoji {emoji, name, words, codes, lightest}. The file is loaded
 * once, and again if that failed.
 */
export function loadEmoji(url) {
  loading ??= fetchGroups(url).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function fetchGroups(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return parseGroups(await response.json());
}

/** The groups of a file that has been parsed as JSON. */
export function parseGroups({ groups }) {
  return groups.map(([key, lines]) => ({ key, all: lines.map(parseLine) }));
}

function parseLine(line) {
  const [emoji, name, words = "", codes = "", lightest = ""] = line.split("\t");
  return { emoji, name, words, codes: codes ? codes.split(" ") : [], lightest };
}

/** The emoji with a skin tone, a number of TONES, if it can have one. */
export function withTone({ emoji, lightest }, tone) {
  return tone && lightest ? lightest.replaceAll(TONES[1], TONES[tone]) : emoji;
}

/** What is the same for all skin tones of an emoji. */
export function plainOf(emoji) {
  return emoji.replace(/[\u{1f3fb}-\u{1f3ff}\ufe0f]/gu, "");
}

/** The emoji with this shortcode, or undefined. */
export function byCode(groups, code) {
  for (const { all } of groups) {
    const found = all.find(({ codes }) => codes.includes(code));
    if (found) return found;
  }
  return undefined;
}

/**
 * At most `most` emoji that match each typed word, the best first: by its shortcode, the beginning of its name, a
 * word of its name, and other words.
 */
export function findEmoji(groups, typed, most) {
  const wanted = folded(typed)
    .split(/[\s_]+/)
    .filter(Boolean);
  if (!wanted.length) return [];
  const code = typed.trim().toLowerCase();
  const found = [];
  for (const { all } of groups) {
    for (const each of all) {
      const rank = rankOf(each, wanted, code);
      if (rank !== null) found.push({ each, rank });
    }
  }
  found.sort((a, b) => a.rank - b.rank);
  return found.slice(0, most).map(({ each }) => each);
}

/** Lower is better, null is no match. */
function rankOf(each, wanted, code) {
  if (each.codes.includes(code)) return 0;
  each.search ??= searchable(each);
  const { name, nameWords, others } = each.search;
  if (each.codes.some((one) => one.startsWith(code))) return 1;
  // "cat" before "cat with tears of joy".
  if (name.startsWith(wanted.join(" "))) return 2 + name.length / 999;
  if (wanted.every((word) => startsOne(nameWords, word))) return 3;
  return wanted.every((word) => startsOne(nameWords, word) || startsOne(others, word)) ? 4 : null;
}

function searchable({ name, words, codes }) {
  const plain = folded(name);
  return {
    name: plain,
    nameWords: plain.split(/[^\p{L}\p{N}]+/u),
    others: [...folded(words).split(" "), ...codes.flatMap((code) => code.split("_"))],
  };
}

function startsOne(words, wanted) {
  return words.some((word) => word.startsWith(wanted));
}
