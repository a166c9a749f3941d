// The composer. It is emptied only once the outbox has the message, and locked when the conversation
// becomes inaccessible or read-only.

import { bodyLength, isBlank, tidyBody } from "chatty/lib/text.js";
import { fill, grow, hasModifier, isTouch, slot, view } from "chatty/views/dom.js";
import { announce } from "chatty/views/live_region.js";
import { t } from "chatty/views/i18n.js";

const WARNING = 200; // characters left at which the counter is loaded
const HOLD = 3_000; // ms for which Enter is ignored while an editor loads

export class Composer {
  #form;
  #box; // the textarea
  #chat;
  #drafts;
  #loaded; // resolves once the outbox has what was unsent
  #max;
  #reply = null; // {id, author, excerpt}
  #editLast;
  #onSent;
  #locked = ""; // the reason: see lock()
  #isHeld = false; // while the editor opened by ArrowUp loads: see takeEarly()
  #holding; // timer that ends #isHeld
  #counter; // a promise of counter.js, once the text is long
  #stop;
  #ending = new AbortController();

  /**
   * `onSent()` is called when a message was added to the outbox. `editLast()` opens my last message for
   * editing. It returns a promise that settles once the editor is open or failed to load, or false if
   * there is no such message.
   */
  constructor({ form, chat, drafts, loaded, onSent, editLast }) {
    this.#form = form;
    this.#box = form.elements.body;
    this.#chat = chat;
    this.#drafts = drafts;
    this.#loaded = loaded;
    this.#max = Number(this.#box.dataset.max);
    this.#onSent = onSent;
    this.#editLast = editLast;
  }

  // Lifecycle

  connect() {
    const { signal } = this.#ending;
    const on = (target, type, work) => target.addEventListener(type, work, { signal });
    on(this.#form, "submit", (event) => this.#onSubmit(event));
    on(this.#form, "input", () => this.#onInput());
    on(this.#box, "keydown", (event) => this.#onKeydown(event));
    on(document, "keydown", (event) => this.#focusOnTyping(event));
    // Keep the on-screen keyboard open when the button is tapped.
    on(this.#form.querySelector("[type=submit]"), "pointerdown", (event) => event.preventDefault());
    on(slot(this.#form, "reply"), "click", (event) => {
      if (!event.target.closest("[data-action=cancel-reply]")) return;
      event.preventDefault();
      this.replyTo(null);
    });
    on(window, "storage", (event) => this.#onStorage(event.key));
    this.#stop = this.#chat.store.on("change", ({ ids }) => this.#updateReply(ids));
    this.#restore();
    this.#show();
    this.#refreshReply();
  }

  disconnect() {
    this.#stop();
    this.#ending.abort();
  }

  // Public methods

  focus() {
    this.#box.focus();
  }

  /** `quoted`: {id, author, excerpt}, or null to cancel the reply. */
  replyTo(quoted) {
    this.#reply = quoted;
    this.#showReply();
    this.#saveDraft();
    if (quoted) this.focus();
  }

  /** Insert the text of a failed message or edit above what is being written, and its other fields. */
  amend(message, quoted) {
    this.#insert(message);
    if (quoted) this.replyTo(quoted);
    this.#onInput();
    this.focus();
  }

  /**
   * Stop sending but keep the text. `why`: "removed", "deleted", "archived", "posting", or the reason the page must
   * be reloaded ("foreign", "restored": see chat.js).
   */
  lock(why) {
    this.#locked = why;
    this.#box.readOnly = true; // not disabled: it keeps the focus, so further typing triggers no shortcuts
    this.#form.dataset.locked = "";
    this.#saveDraft();
  }

  unlock() {
    this.#locked = "";
    this.#box.readOnly = false;
    delete this.#form.dataset.locked;
  }

  /** The reason it is locked, or "". */
  get locked() {
    return this.#locked;
  }

  get text() {
    return this.#box.value;
  }

  /** Empty the box and return what was typed while the editor was loading, or "". */
  takeEarly() {
    if (!this.#isHeld) return "";
    const { value } = this.#box;
    this.#box.value = "";
    this.#onInput();
    return value;
  }

  discard() {
    this.#fill(null);
    this.#saveDraft();
  }

  // Internal: user input

  #onKeydown(event) {
    // 229 means an input method is active, also in browsers that don't set isComposing.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && this.#isSendKey(event)) {
      event.preventDefault();
      this.#form.requestSubmit();
    } else if (event.key === "ArrowUp" && !this.#box.value && !hasModifier(event)) {
      const opening = this.#editLast();
      if (!opening) return;
      event.preventDefault();
      // Enter does nothing until the editor has loaded, for HOLD at most: offline it may never load.
      this.#isHeld = true;
      const release = () => (this.#isHeld = false);
      opening.then(release);
      clearTimeout(this.#holding); // the timer of a previous editor
      this.#holding = setTimeout(release, HOLD);
    } else if (event.key === "Escape" && this.#reply) {
      event.preventDefault();
      this.replyTo(null);
    }
  }

  /** Focus the box when someone types while nothing has focus. The first letter still goes into it. */
  #focusOnTyping(event) {
    if (this.#locked) return;
    if (event.target !== document.body || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key.length === 1 && event.key !== " ") this.focus(); // the space bar scrolls
  }

  /** Enter sends and Shift+Enter inserts a line break. On touch keyboards Enter inserts one too. */
  #isSendKey(event) {
    if (event.ctrlKey || event.metaKey) return true;
    if (event.shiftKey || event.altKey) return false;
    return !isTouch.matches;
  }

  #onInput() {
    this.#showError("");
    this.#show();
    this.#saveDraft();
    if (!this.#locked && !isBlank(this.#box.value)) this.#chat.sendTyping();
  }

  #onSubmit(event) {
    // Files that views/attach_start.js has yet to take: it then sends the message.
    const waits = this.#form.querySelector("[type=file]")?.files[0];
    if (waits) this.#form.dataset.waits = "";
    if (this.#locked || this.#isHeld || waits) {
      event.preventDefault();
      return;
    }
    const body = tidyBody(this.#box.value);
    if (isBlank(body) && !this.#content.files) {
      event.preventDefault();
      this.focus();
    } else if (bodyLength(body) > this.#max) {
      event.preventDefault();
      this.#showError(
        t("composer.too_long", { max: this.#max.toLocaleString(document.documentElement.lang) }),
      );
    } else {
      // Prevent the plain form submission only after the outbox has the message, in case send() throws.
      const { record, kept } = this.#chat.send({ ...this.#content, body });
      event.preventDefault();
      this.#saveDraft(record.key);
      this.#empty(kept);
    }
  }

  #empty(kept) {
    this.#fill(null);
    this.#showError("");
    // Clear the draft only once the outbox has stored the message, so that a crash loses nothing.
    kept.then(() => this.#saveDraft());
    this.#onSent();
  }

  // Internal: the content of the message

  /** The form's fields for the message: see templates/conversations/_composer.html. */
  get #fields() {
    return this.#form.querySelectorAll("[data-content]");
  }

  /** The content of the message. Empty fields are left out: they have their defaults. */
  get #content() {
    const content = this.#reply ? { reply_to: this.#reply.id } : {};
    for (const { name, value } of this.#fields) if (value) content[name] = value;
    return content;
  }

  /** Show a draft, or nothing if it is null. */
  #fill(draft) {
    for (const field of this.#fields) field.value = draft?.[field.name] ?? "";
    this.#reply = draft?.reply ?? null;
    this.#showReply();
    this.#show();
  }

  /** Insert a text above what is in the box, and fill in the other fields if they are empty. */
  #insert(message) {
    const { value } = this.#box;
    for (const field of this.#fields) field.value ||= message[field.name] ?? "";
    if (value && message.body) this.#box.value = `${message.body}\n${value}`;
  }

  // Internal: drafts

  async #restore() {
    this.#reply = this.#replyOnPage();
    const draft = this.#drafts.read(this.#chat.id);
    if (draft?.key) {
      // It was sent, but the page was closed before it knew whether the outbox had stored it.
      await this.#loaded;
      this.#add(this.#chat.outbox.entry(draft.key) ? null : draft);
      this.#show();
      this.#saveDraft();
    } else this.#add(draft);
  }

  #add(draft) {
    const isShared = "shared" in this.#form.dataset; // by another app: it is below the draft
    // Text that the server returned with an error, or that the browser restored, is newer than the draft.
    if (this.#box.value && !isShared) return;
    if (draft) this.#insert(draft); // otherwise the page would be laid out again, for nothing
    this.#reply ??= draft?.reply ?? null;
    this.#showReply();
    if (!isShared) return;
    this.#saveDraft();
    history.replaceState(null, "", location.pathname); // a reload must not repeat it
  }

  #replyOnPage() {
    const id = Number(this.#form.elements.reply_to.value);
    if (!id) return null;
    const text = (name) => slot(this.#form, name)?.textContent ?? "";
    return { id, author: "", heading: text("reply-author"), excerpt: text("reply-text") };
  }

  /** @param {string} [key] of the message that has just been sent with it */
  #saveDraft(key) {
    this.#drafts.write(this.#chat.id, { ...this.#content, reply: this.#reply, key });
  }

  /** Another tab changed the draft: apply it, unless the user is typing here. */
  #onStorage(name) {
    if (this.#drafts.conversationOf(name) !== this.#chat.id) return;
    if (document.activeElement === this.#box && document.hasFocus()) return;
    const draft = this.#drafts.read(this.#chat.id);
    this.#fill(draft?.key ? null : draft);
  }

  // Internal: the quoted message

  /** The message may have been edited or deleted since the draft was stored. */
  #refreshReply() {
    // If that fails, the old preview remains. Sending does not depend on it.
    const { id } = this.#reply ?? {};
    if (id)
      this.#chat.loadMessage(id).then(
        () => this.#updateReply([id]),
        () => {},
      );
  }

  #updateReply(ids) {
    const quoted = ids.includes(this.#reply?.id) && this.#chat.store.quoteOf(this.#reply.id);
    if (!quoted) return;
    const { id, author, excerpt, deleted } = quoted;
    this.#reply = { id, author: author?.name ?? "", excerpt: deleted ? t("message.deleted") : excerpt };
    this.#showReply();
    this.#saveDraft();
  }

  // Internal: rendering

  #show() {
    // views/attach.js shows the files, and is loaded if there are any.
    this.#form.dispatchEvent(new Event("change", { bubbles: this.#content.files }));
    grow(this.#box);
    if (this.#box.value.length > this.#max - WARNING) this.#counter ??= view("counter");
    this.#counter?.then(({ showLeft }) => showLeft(this.#form, this.#max)).catch(() => {});
  }

  #showReply() {
    const quote = slot(this.#form, "reply");
    this.#form.elements.reply_to.value = this.#reply?.id ?? "";
    quote.hidden = !this.#reply;
    if (!this.#reply) return;
    const { author, heading, excerpt } = this.#reply;
    fill(quote, "reply-author", heading || t("composer.reply", { name: author }));
    fill(quote, "reply-text", excerpt);
  }

  #showError(text) {
    const place = slot(this.#form, "error");
    place.textContent = text;
    place.hidden = !text;
    place.removeAttribute("role"); // of an error on the page from the server
    announce(text);
    if (text) this.#box.setAttribute("aria-invalid", "true");
    else this.#box.removeAttribute("aria-invalid");
  }
}
