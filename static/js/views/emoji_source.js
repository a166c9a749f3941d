// Suggests emoji after a ":", by their shortcodes and by words of the reader's language, and custom ones: see
// suggestions.js.

import { customEmoji } from "chatty/lib/custom_emoji.js";
import { byCode, findEmoji, loadEmoji, withTone } from "chatty/lib/emoji.js";
import { loadChoices, noteUse } from "chatty/lib/emoji_choices.js";
import { WORD } from "chatty/lib/match.js";
import { emojiPicture, observe } from "chatty/views/custom_emoji.js";
import { element } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";
import { writingFiles } from "chatty/views/writing_templates.js";

const CODE = new RegExp(`(?<!(?!_)${WORD}|[:/])(:[\\p{L}\\p{N}_+-]{2,32}:?)$`, "u");
const SHOWN = 6;

export class EmojiSource {
  label = t("emoji");
  rest = new RegExp(`(?:${WORD}|[+-])*:?`, "uy");
  #me;

  constructor({ me }) {
    this.#me = me;
    observe();
  }

  find(text) {
    const found = CODE.exec(text);
    return found && { at: found.index, typed: found[1].slice(1) };
  }

  async suggest(typed) {
    const [builtIn, all] = await Promise.all([
      loadEmoji(writingFiles().source).catch(() => []),
      customEmoji(),
    ]);
    const groups = [{ key: "custom", all }, ...builtIn];
    const { tone } = loadChoices(this.#me.id);
    const exact = typed.endsWith(":") && byCode(groups, typed.slice(0, -1));
    const found = typed.endsWith(":") ? [exact].filter(Boolean) : findEmoji(groups, typed, SHOWN);
    return found.map((each) => {
      const emoji = withTone(each, tone);
      const shown = each.address ? emojiPicture("", each.address) : emoji;
      const picture = element("span", "option__emoji", shown);
      picture.ariaHidden = "true";
      const code = `:${each.codes[0]}:`;
      const name = each.address ? code : `${code} ${each.name}`;
      return { id: `emoji-${each.codes[0]}`, name, text: emoji, picture };
    });
  }

  isLikely() {
    return true;
  }

  isComplete(typed) {
    return typed.endsWith(":");
  }

  /** It is then among the recent ones of the picker. */
  used(emoji) {
    noteUse(this.#me.id, emoji);
  }
}
