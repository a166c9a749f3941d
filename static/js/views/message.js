// Renders messages with templates/conversations/_message.html and _notice.html.

import { isOnlyEmoji } from "chatty/lib/text.js";
import { element as makeElement, fill, fromTemplate, setServerHtml, slot } from "chatty/views/dom.js";
import { showAvatar } from "chatty/views/avatar.js";
import { t, tn, noticeText } from "chatty/views/i18n.js";

const READING = ["copy", "link", "unread"]; // actions allowed in archived conversations

export class MessageView {
  #me;
  #times;
  #canManage;
  #archived;
  #mine = new Map(); // message id -> Map(emoji -> on), of reactions I toggled on this page

  constructor({ me, times, canManage, archived }) {
    this.#me = me;
    this.#times = times;
    this.#canManage = canManage;
    this.#archived = archived;
  }

  /**
   * Create the element of a message or system message. The `form` attributes of its buttons are removed:
   * scripts handle them, and resolving form ids is the most expensive part of inserting messages.
   * @param {Wire.Message} message
   */
  draw(message) {
    const element = fromTemplate(message.kind === "text" ? "message-template" : "notice-template");
    for (const press of element.querySelectorAll("[form]")) press.removeAttribute("form");
    this.update(element, message);
    return element;
  }

  /** @param {Wire.Message} message */
  update(element, message) {
    const { dataset } = element;
    element.id = `m${message.id}`;
    dataset.messageId = message.id;
    dataset.seq = message.seq;
    dataset.version = message.version;
    dataset.author = message.author?.id ?? "";
    dataset.kind = message.kind;
    dataset.created = message.created_at;
    this.showTime(element, message.created_at);
    if (message.kind === "text") this.#updateText(element, message);
    else fill(element, "notice", noticeText(message));
  }

  /** Create the element of a pending message. */
  drawPending(entry) {
    const element = fromTemplate("message-template");
    element.removeAttribute("id");
    element.dataset.messageId = "";
    element.dataset.seq = "";
    element.dataset.author = this.#me.id;
    element.dataset.kind = "text";
    element.dataset.key = entry.key;
    element.dataset.created = entry.created_at;
    element.classList.add("message--own", "message--pending");
    this.#showAuthor(element, this.#me);
    this.showTime(element, entry.created_at);
    element.querySelector(".message__time").removeAttribute("href");
    slot(element, "body").replaceChildren(makeElement("p", "message__plain", entry.body));
    element.classList.toggle("message--emoji", isOnlyEmoji(entry.body));
    this.#showQuote(element, entry.reply_to && { id: entry.reply_to, ...entry.quote });
    slot(element, "actions")?.remove();
    return element;
  }

  showTime(element, moment) {
    const time = slot(element, "time");
    time.dateTime = moment;
    time.title = this.#times.full(moment);
    fill(element, "time", this.#times.clock(moment));
  }

  /** Refresh the quote of `quoted` inside another message. */
  updateQuote(element, quoted) {
    if (element.dataset.kind !== "text" || element.classList.contains("message--deleted")) return;
    this.#showQuote(element, quoted);
  }

  /** Remember that I toggled this: a message lists only twenty users per reaction, perhaps without me. */
  rememberReaction(id, emoji, on) {
    if (!this.#mine.has(id)) this.#mine.set(id, new Map());
    this.#mine.get(id).set(emoji, on);
  }

  // Internal

  /** @param {Wire.Message} message */
  #updateText(element, message) {
    const own = message.author?.id === this.#me.id;
    const deleted = Boolean(message.deleted_at);
    element.dataset.key = own ? message.key : "";
    element.classList.remove("message--pending", "message--failed");
    element.classList.toggle("message--own", own);
    element.classList.toggle("message--deleted", deleted);
    element.classList.toggle("message--emoji", !deleted && isOnlyEmoji(message.body));
    element.classList.toggle("message--mentioned", Boolean(message.mentions?.includes(this.#me.id)));
    this.#showAuthor(element, message.author);
    const url = `/m/${message.id}/`;
    element.querySelector(".message__time").href = url;
    if (deleted) {
      this.#showDeleted(element);
      return;
    }
    setServerHtml(slot(element, "body"), message.html);
    this.#showQuote(element, message.reply_to);
    const edited = slot(element, "edited");
    if (edited) edited.hidden = !message.edited_at;
    fill(element, "status", "");
    this.#showReactions(element, message, url);
    this.#showActions(element, message, url, own);
  }

  #showDeleted(element) {
    fill(element, "body", t("message.deleted"));
    for (const name of ["reply", "edited", "reactions", "actions"]) slot(element, name)?.remove();
    fill(element, "status", "");
  }

  /** @param {Wire.Person | null} author */
  #showAuthor(element, author) {
    showAvatar(slot(element, "avatar"), author);
    fill(element, "author", author?.name ?? "");
  }

  #showQuote(element, quoted) {
    const quote = slot(element, "reply");
    if (!quote) return;
    if (!quoted) {
      quote.remove(); // whether a message is a reply never changes
      return;
    }
    quote.hidden = false;
    quote.dataset.replyTo = quoted.id;
    quote.dataset.author = quoted.author?.id ?? "";
    quote.href = `/m/${quoted.id}/`;
    fill(quote, "reply-author", quoted.author?.name ?? "");
    fill(quote, "reply-text", quoted.deleted ? t("message.deleted") : (quoted.excerpt ?? ""));
    slot(quote, "reply-text").classList.toggle("quote__text--deleted", Boolean(quoted.deleted));
  }

  /** @param {Wire.Message} message */
  #showReactions(element, message, url) {
    const place = slot(element, "reactions");
    if (!place) return;
    const before = new Map([...place.children].map((chip) => [chip.dataset.emoji, chip]));
    const chips = message.reactions.map((reaction) => {
      const chip = before.get(reaction.emoji) ?? this.#newChip();
      const wasMine = chip.getAttribute("aria-pressed") === "true";
      this.#fillChip(chip, reaction, url, this.#isMine(message.id, reaction, wasMine));
      return chip;
    });
    // Don't move remaining chips, so that the one just clicked keeps the focus.
    for (const chip of before.values()) if (!chips.includes(chip)) chip.remove();
    chips.forEach((chip, index) => {
      if (place.children[index] !== chip) place.insertBefore(chip, place.children[index] ?? null);
    });
  }

  #newChip() {
    const chip = fromTemplate("reaction-template");
    chip.removeAttribute("form");
    return chip;
  }

  /** @param {Wire.Reaction} reaction */
  #fillChip(chip, reaction, url, mine) {
    const { emoji, count } = reaction;
    chip.dataset.emoji = emoji;
    chip.value = emoji;
    if (chip.hasAttribute("form")) chip.setAttribute("form", mine ? "unreact-form" : "react-form");
    chip.setAttribute("formaction", `${url}react/`);
    chip.setAttribute("aria-pressed", String(mine));
    chip.disabled = this.#archived;
    chip.title = this.#reactionTitle(reaction);
    chip.querySelector(".chip__emoji").textContent = emoji;
    fill(chip, "count", String(count));
  }

  /**
   * @param {number} id
   * @param {Wire.Reaction} reaction
   */
  #isMine(id, { emoji, count, users }, wasMine) {
    if (users.includes(this.#me.id)) return true;
    if (count <= users.length) return false;
    return this.#mine.get(id)?.get(emoji) ?? wasMine;
  }

  /**
   * "You, Bob, 3 more". `names` belong to the first `users`. Older servers don't send them.
   * @param {Wire.Reaction} reaction
   */
  #reactionTitle({ users, names = [], count }) {
    const shown = names.map((name, index) => (users[index] === this.#me.id ? t("you") : name));
    const more = count - shown.length;
    return [...shown, ...(more ? [tn("more", more)] : [])].join(", ");
  }

  #showActions(element, message, url, own) {
    const actions = slot(element, "actions");
    if (!actions) return;
    for (const thing of actions.querySelectorAll("[data-action]")) {
      const name = thing.dataset.action;
      const forbidden = this.#archived
        ? !READING.includes(name)
        : (name === "edit" && !own) || (name === "delete" && !own && !this.#canManage);
      if (forbidden) thing.remove();
      else if (name === "unread") thing.value = message.seq;
      else if (name === "reply") {
        const address = thing.getAttribute("href").replace(/reply_to=\d+/, `reply_to=${message.id}`);
        thing.setAttribute("href", address);
      } else if (name === "link") thing.href = url;
      else if (name !== "copy") thing.href = `${url}${name}/`;
    }
  }
}
