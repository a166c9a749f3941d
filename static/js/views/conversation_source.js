// Suggests conversations after a "#": see suggestions.js. A link to one is an ordinary link in Markdown, to its
// page. What it shows is filled in for each reader: see conversations/web/conversation_links.py.

import { rank, WORD } from "chatty/lib/match.js";
import { recent } from "chatty/lib/recent.js";
import { fromTemplate, part } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";
import { showBadge } from "chatty/views/conversation_badge.js";
import { escapeMarks } from "chatty/views/typed_text.js";

// A heading has a space behind the "#", which is why the first character can't be one.
const LINK = new RegExp(`(?<!${WORD}|[#&/.+-])#([^#\\s\\d][^#\\n]{0,79})?$`, "u");
const SHOWN = 6;
const CONTAINED = 2; // the highest rank shown, see lib/match.js

export class ConversationSource {
  label = t("conversations");
  rest = new RegExp(`${WORD}*`, "uy");
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #list;
  #scope;
  #chat;

  constructor({ conversationList, scope, chat }) {
    this.#list = conversationList;
    this.#scope = scope;
    this.#chat = chat;
  }

  find(text) {
    const found = LINK.exec(text);
    return found && { at: found.index, typed: found[1] ?? "" };
  }

  async suggest(typed) {
    // Opened last first, but the one that is open now.
    const used = recent(this.#scope).filter((id) => id !== this.#chat.id);
    return [...new Set([...used, ...this.#list.ids()])]
      .map((id) => this.#list.get(id))
      .filter((row) => row?.name)
      .filter(({ kind, archived }) => kind === "group" && !archived)
      .map((row) => ({ row, found: rank(row.name, typed) }))
      .filter(({ found }) => found !== null && found <= CONTAINED)
      .sort((a, b) => a.found - b.found)
      .slice(0, SHOWN)
      .map(({ row }) => ({ id: `link-${row.id}`, name: row.name, text: linkTo(row), picture: badgeOf(row) }));
  }

  isLikely(typed) {
    return !/\s/.test(typed);
  }
}

/**
 * The Markdown of a link to a conversation. The name of a private one is not in it: not everyone who will read the
 * message may know it, and everyone who does sees the name anyway.
 */
function linkTo({ id, name, access }) {
  const shown = access === "open" ? escapeMarks(name) : t("link.private");
  return `[#${shown}](/c/${id}/)`;
}

function badgeOf(data) {
  const row = fromTemplate("sidebar-row-template");
  showBadge(row, data);
  return part(row, "avatar");
}
