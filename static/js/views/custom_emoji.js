// Draws custom emoji where scripts only know their names: in reactions, and in messages that are being sent. The server
// has drawn the others. Loaded with the first such reaction (see code.js), and with the picker and the suggestions.

import { customEmoji, customReaction, isOnlyCustomEmoji, splitNames } from "chatty/lib/custom_emoji.js";
import { element } from "chatty/views/dom.js";

const PLACES = ".chip__emoji, .message--pending .message__plain";

/** The same as picture_html() in conversations/emoji.py. */
export function emojiPicture(label, address) {
  const url = `/emoji/${address}/`;
  const image = Object.assign(element("img", "emoji"), { src: url, alt: label, title: label });
  image.width = image.height = 22;
  if (address[0] === "s") return image;
  const still = element("source");
  still.media = "(prefers-reduced-motion: reduce)";
  still.srcset = `${url}still/`;
  return element("picture", "", still, image);
}

let isObserving = false;

/** Draw those that are on the page, and from now on those that are added or changed. */
export function observe() {
  if (isObserving) return;
  isObserving = true;
  const observer = new MutationObserver((records) => {
    for (const { target, addedNodes } of records) {
      for (const node of addedNodes) {
        if (node instanceof Element) draw(node);
        else if (target instanceof Element && target.matches(PLACES)) drawPlace(target);
      }
    }
  });
  observer.observe(document.body, { childList: true, subtree: true });
  draw(document.body);
}

/** Draw the custom emoji in an element. */
export function draw(root) {
  if (root.matches(PLACES)) drawPlace(root);
  for (const place of root.querySelectorAll(PLACES)) drawPlace(place);
}

function drawPlace(place) {
  const text = place.textContent;
  if (!text.includes(":")) return;
  if (!place.matches(".chip__emoji")) drawNames(place, text);
  else {
    const custom = customReaction(text);
    if (custom) place.replaceChildren(emojiPicture(custom.label, custom.address));
  }
}

async function drawNames(place, text) {
  if (splitNames(text, { has: () => true }).length < 2) return;
  const known = new Map((await customEmoji()).map(({ name, address }) => [name, address]));
  const parts = splitNames(text, known);
  if (parts.length < 2 || place.textContent !== text) return;
  const shown = parts.map((part, index) => (index % 2 ? emojiPicture(`:${part}:`, known.get(part)) : part));
  place.replaceChildren(...shown);
  place.classList.toggle("only-emoji", isOnlyCustomEmoji(parts));
}
