// Suggests emoji after a ":", by their shortcodes and by words of the reader's language: see suggestions.js.

import { byCode, findEmoji, loadEmoji, withTone } from "chatty/lib/emoji.js";
import { loadChoices, noteUse } from "chatty/lib/emoji_choices.js";
import { element } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";
import { writingFiles } from "chatty/views/writing_templates.js";

const CODE = /(?<![\p{L}\p{N}:/])(:[\p{L}\p{N}_+-]{2,30}:?)$/u;
const SHOWN = 6;

export class EmojiSource {
  label = t("emoji");
  rest = /[\p{L}\p{N}_+-]*:?/uy;
  #me;

  constructor({ me }) {
    this.#me = me;
  }

  find(text) {
    const found = CODE.exec(text);
    return found && { at: found.index, typed: found[1].slice(1) };
  }

  async suggest(typed) {
    const groups = await loadEmoji(writingFiles().source).catch(() => []);
    const { tone } = loadChoices(this.#me.id);
    const exact = typed.endsWith(":") && byCode(groups, typed.slice(0, -1));
    const found = typed.endsWith(":") ? [exact].filter(Boolean) : findEmoji(groups, typed, SHOWN);
    return found.map((each) => {
      const emoji = withTone(each, tone);
      const picture = element("span", "option__emoji", emoji);
      picture.ariaHidden = "true";
      return { id: `emoji-${each.codes[0]}`, name: `:${each.codes[0]}: ${each.name}`, text: emoji, picture };
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
