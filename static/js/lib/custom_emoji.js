// Custom emoji: pictures that people have added under a name. In texts they are `:name:`, in reactions `:name:` with the
// address of the picture. conversations/emoji.py has the same rules and golden cases.

import { WORD } from "chatty/lib/match.js";
import { isOnlyEmoji } from "chatty/lib/text.js";

const NAME = "[a-z0-9+-][a-z0-9_+-]{0,30}[a-z0-9+-]";
const NAMED = new RegExp(`:(${NAME}):`, "g");
const NAMED_RUN = new RegExp(`(?<!(?!_)${WORD}|[:/\\\\])(?::${NAME}:)+`, "gu");
const REACTION = new RegExp(`^(:${NAME}:)([as][0-9a-f]{20})$`);
const LIST = "/api/emoji/";
const FRESH = 5_000; // ms in which the list is not loaded again
const PATIENCE = 3_000; // ms

let kept = []; // as customEmoji() returns them
let loadedAt = -FRESH;
let loading = null;

/** The parts of a text: text, the name of a custom emoji, text, ..., text. `known`: has(name). */
export function splitNames(text, known) {
  const parts = [];
  let done = 0;
  for (const run of text.matchAll(NAMED_RUN)) {
    for (const { 0: whole, 1: name, index } of run[0].matchAll(NAMED)) {
      if (!known.has(name)) continue;
      const at = run.index + index;
      parts.push(text.slice(done, at), name);
      done = at + whole.length;
    }
  }
  return [...parts, text.slice(done)];
}

/** True if a message with these parts is shown larger. */
export function isOnlyCustomEmoji(parts) {
  return parts.length > 1 && isOnlyEmoji(parts.map((part, index) => (index % 2 ? "😀" : part)).join(""));
}

/** {label, address} of a reaction with a custom emoji, or null. */
export function customReaction(emoji) {
  const found = REACTION.exec(emoji);
  return found && { label: found[1], address: found[2] };
}

/**
 * A promise of the custom emoji as in lib/emoji.js, with `reaction` and `address`; without network, those that were
 * loaded before. `fresh`: how many ms old they may be.
 */
export function customEmoji({ fresh = FRESH } = {}) {
  if (performance.now() - loadedAt < fresh) return Promise.resolve(kept);
  loading ??= load().finally(() => (loading = null));
  return loading;
}

async function load() {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const headers = { Accept: "application/json" };
    const response = await fetch(LIST, { headers, cache: "no-store", signal });
    if (response.ok) {
      kept = (await response.json()).results.map(parse);
      loadedAt = performance.now();
    }
  } catch {
    // Without network, or too slow.
  }
  return kept;
}

function parse({ name, reaction }) {
  const { address } = customReaction(reaction);
  return { emoji: `:${name}:`, name, words: "", codes: [name], lightest: "", reaction, address };
}
