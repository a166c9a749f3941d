// Draws messages and system messages with templates/rows/message.html and notice.html. The result must be the
// same as the server's.

import { isMentioned } from "chatty/chat/live_text.js";
import { isLong, isOnlyEmoji } from "chatty/lib/text.js";
import {
  element as makeElement,
  fill,
  fromTemplate,
  part,
  setServerHtml,
  setText,
  slot,
} from "chatty/views/dom.js";
import { showAvatar } from "chatty/views/avatar.js";
import { t, tn, noticeText } from "chatty/views/i18n.js";

export class MessageView {
  #me;
  #times;
  #permissions;
  #mine = new Map(); // message id -> Map(emoji -> on), of reactions I toggled on this page

  /** `permissions`: see permissions.js. */
  constructor({ me, times, permissions }) {
    this.#me = me;
    this.#times = times;
    this.#permissions = permissions;
  }

  /** Create the element of a message or system message. */
  draw(message) {
    const isText = message.kind === "text";
    const element = fromTemplate(isText ? "message-template" : "notice-template");
    element.id = `m${message.id}`;
    element.dataset.seq = message.seq;
    if (isText) this.#begin(element, message);
    this.update(element, message);
    return element;
  }

  update(element, message) {
    this.prepare(element, message.created_at);
    if (message.kind === "text") this.#updateText(element, message);
    else setText(part(element, "notice__text"), noticeText(message));
  }

  /** What only scripts need, also on rows of the server: focus, and times in the browser's zone. */
  prepare(element, moment) {
    element.tabIndex = -1;
    const time = element.querySelector("time");
    time.dateTime = moment;
    time.title = this.#times.full(moment);
    setText(time, this.#times.clock(moment));
  }

  /** Create the element of a pending message. */
  drawPending(entry) {
    const element = fromTemplate("message-template");
    delete element.dataset.seq;
    element.removeAttribute("id");
    element.dataset.author = this.#me.id;
    element.dataset.own = "";
    element.classList.add("message--pending");
    this.prepare(element, entry.created_at);
    this.#showAuthor(element, this.#me);
    part(element, "message__time").removeAttribute("href");
    part(element, "message__body").replaceChildren(makeElement("p", "message__plain", entry.body));
    element.classList.toggle("message--emoji", isOnlyEmoji(entry.body));
    this.#showQuote(element, entry.reply_to && { id: entry.reply_to, ...entry.quote });
    showFiles(element, entry.files);
    for (const name of ["message__fold", "message__edited", "message__pin", "message__tools", "reactions"])
      part(element, name).remove();
    part(element, "message__main").append(makeElement("p", "message__status"));
    return element;
  }

  /** Refresh the quote of `quoted` inside another message. */
  updateQuote(element, quoted) {
    if (part(element, "quote")) this.#showQuote(element, quoted);
  }

  /** Remember that I toggled this: a message lists only twenty users per reaction, perhaps without me. */
  rememberReaction(id, emoji, on) {
    this.#mine.set(id, (this.#mine.get(id) ?? new Map()).set(emoji, on));
  }

  // Internal

  /** What never changes. */
  #begin(element, { id, author }) {
    const url = `/m/${id}/`;
    element.dataset.author = author?.id ?? "";
    if (author?.id === this.#me.id) element.dataset.own = "";
    part(element, "message__time").href = url;
    part(element, "message__more").href = `${url}?actions`;
  }

  #updateText(element, message) {
    const deleted = !!message.deleted_at;
    element.classList.toggle("message--deleted", deleted);
    element.classList.toggle("message--emoji", isOnlyEmoji(message.body)); // "" if deleted
    element.classList.toggle("message--mentioned", isMentioned(message, this.#me.id));
    this.#showAuthor(element, message.author);
    if (deleted) {
      this.#showDeleted(element);
      return;
    }
    optional(element, "message__fold", isLong(message.body));
    // If the text is the same, a spoiler stays open, and code in colours.
    if (element.html !== message.html) {
      element.html = message.html;
      setServerHtml(part(element, "message__body"), message.html);
      // 0 is everyone.
      const others = "own" in element.dataset ? "" : ',[data-people="0"]';
      for (const chip of element.querySelectorAll(`[data-people~="${this.#me.id}"]${others}`)) {
        chip.classList.add("mention--me");
      }
    }
    this.#showQuote(element, message.reply_to);
    showFiles(element, message.files);
    optional(element, "message__edited", message.edited_at);
    optional(element, "message__pin", message.pinned); // drawn by pins.js
    this.#showReactions(element, message);
  }

  #showDeleted(element) {
    const hadFocus = element.contains(document.activeElement);
    setText(part(element, "message__body"), t("message.deleted"));
    for (const each of element.querySelectorAll(
      ".files, .quote, .message__fold, .message__edited, .message__pin, .message__tools, .message-menu, .reactions",
    )) {
      each.remove();
    }
    if (hadFocus && !element.contains(document.activeElement)) element.focus({ preventScroll: true });
  }

  #showAuthor(element, author) {
    showAvatar(part(element, "avatar"), author);
    part(element, "message__author").href = `/people/${element.dataset.author}/`;
    setText(part(element, "message__author"), author?.name ?? "");
  }

  #showQuote(element, quoted) {
    const quote = part(element, "quote");
    if (!quoted) {
      quote?.remove(); // whether a message is a reply never changes
      return;
    }
    quote.dataset.replyTo = quoted.id;
    quote.dataset.author = quoted.author?.id ?? "";
    quote.href = `/m/${quoted.id}/`;
    fill(quote, "reply-author", quoted.author?.name ?? "");
    fill(quote, "reply-text", quoted.deleted ? t("message.deleted") : (quoted.excerpt ?? ""));
    slot(quote, "reply-text").classList.toggle("quote__text--deleted", !!quoted.deleted);
  }

  /** @param {Wire.Message} message */
  #showReactions(element, message) {
    const place = optional(element, "reactions", message.reactions.length);
    if (!place) return;
    const before = new Map([...place.children].map((chip) => [chip.value, chip]));
    const chips = message.reactions.map((reaction) => {
      const chip =
        before.get(reaction.emoji) ?? before.get("") ?? part(fromTemplate("message-template"), "chip");
      before.delete("");
      const wasMine = chip.ariaPressed === "true";
      this.#fillChip(chip, reaction, message.id, this.#isMine(message.id, reaction, wasMine));
      return chip;
    });
    // Don't move remaining chips, so that the one just clicked keeps the focus.
    for (const chip of before.values()) if (!chips.includes(chip)) chip.remove();
    chips.forEach((chip, index) => {
      if (place.children[index] !== chip) place.insertBefore(chip, place.children[index] ?? null);
    });
  }

  #fillChip(chip, reaction, id, mine) {
    const { emoji, count } = reaction;
    chip.setAttribute("form", mine ? "unreact-form" : "react-form");
    chip.formAction = `/m/${id}/react/`;
    chip.value = emoji;
    chip.ariaPressed = String(mine);
    chip.disabled = this.#permissions.archived;
    chip.title = this.#reactionTitle(reaction);
    setText(part(chip, "chip__emoji"), emoji);
    setText(part(chip, "chip__count"), String(count));
  }

  #isMine(id, { emoji, count, users }, wasMine) {
    if (users.includes(this.#me.id)) return true;
    if (count <= users.length) return false;
    return this.#mine.get(id)?.get(emoji) ?? wasMine;
  }

  /** "You, Bob, 3 more". `names` belong to the first `users`. Older servers don't send them. */
  #reactionTitle({ users, names, count }) {
    const shown = names.map((name, index) => (users[index] === this.#me.id ? t("you") : name));
    const more = count - shown.length;
    if (more) shown.push(tn("more", more));
    return shown.join(", ");
  }
}

/**
 * Drawn by views/files.js. `files`: of a message, or the descriptions of what is being uploaded (chat/uploads.js).
 * Nothing if there are none.
 */
function showFiles(element, files) {
  const box = optional(element, "files", files);
  if (box) box.files = files;
}

/** The optional part of a message, inserted where the template has it. If it shouldn't be there, null. */
function optional(element, name, isThere) {
  const shown = part(element, name);
  if (!isThere) {
    shown?.remove();
    return null;
  }
  if (shown) return shown;
  const made = part(fromTemplate("message-template"), name);
  let before = made.previousElementSibling;
  while (before && !part(element, before.classList[0])) before = before.previousElementSibling;
  if (before) part(element, before.classList[0]).after(made);
  else part(element, made.parentElement.classList[0]).prepend(made);
  return made;
}
