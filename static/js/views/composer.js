// Where one writes. Never emptied before the words are taken in, and locked only when the conversation
// is no longer one's own.

import { bodyLength, isBlank, tidyBody } from "chatty/lib/text.js";
import { fill, slot } from "chatty/views/dom.js";
import { t, tn } from "chatty/views/i18n.js";

const WARNING = 200; // characters left at which the counter appears
const HOLD = 3_000; // ms for which Enter waits for an editor

export class Composer {
  #form;
  #box; // the textarea
  #chat;
  #drafts;
  #conversation;
  #max;
  #store;
  #reply = null; // {id, author, excerpt}
  #editLast;
  #onSent;
  #locked = ""; // why: see lock()
  #isHeld = false; // while the editor opened by Arrow up loads: see takeEarly()
  #holding; // timer: how long at most
  #stop;
  #ending = new AbortController();

  /**
   * `onSent()` after words were taken in; `editLast()` opens my last message for editing and returns a
   * promise that settles when the editor has come or could not, or false if there is no such message.
   */
  constructor({ form, chat, drafts, store, conversation, onSent, editLast }) {
    this.#form = form;
    this.#box = form.elements.body;
    this.#chat = chat;
    this.#drafts = drafts;
    this.#store = store;
    this.#conversation = conversation;
    this.#max = Number(this.#box.dataset.max);
    this.#onSent = onSent;
    this.#editLast = editLast;
  }

  // Lifecycle

  connect() {
    const { signal } = this.#ending;
    const on = (target, type, work) => target.addEventListener(type, work, { signal });
    on(this.#form, "submit", (event) => this.#onSubmit(event));
    on(this.#box, "input", () => this.#onInput());
    on(this.#box, "keydown", (event) => this.#onKeydown(event));
    on(document, "keydown", (event) => this.#focusOnTyping(event));
    // The keyboard of a phone stays open when the button is pressed.
    on(this.#form.querySelector("[type=submit]"), "pointerdown", (event) => event.preventDefault());
    on(slot(this.#form, "reply"), "click", (event) => {
      if (!event.target.closest("[data-action=cancel-reply]")) return;
      event.preventDefault();
      this.replyTo(null);
    });
    on(window, "storage", (event) => this.#onStorage(event.key));
    this.#stop = this.#store.on("change", ({ ids }) => this.#updateReply(ids));
    this.#restore();
    this.#show();
    this.#refreshReply();
  }

  disconnect() {
    this.#stop();
    this.#ending.abort();
  }

  // What others ask

  focus() {
    this.#box.focus();
  }

  /** `quoted` {id, author, excerpt}, or null to reply to nothing. */
  replyTo(quoted) {
    this.#reply = quoted;
    this.#showReply();
    this.#saveDraft();
    if (quoted) this.focus();
  }

  /** Take words back that failed; what is being written stays below them. */
  amend({ body, quoted }) {
    this.#box.value = this.#box.value ? `${body}\n${this.#box.value}` : body;
    if (quoted) this.replyTo(quoted);
    this.#onInput();
    this.focus();
  }

  /**
   * Nothing is sent any more, and what was written stays. `why`: "removed", "deleted", "archived", or
   * why the page must be loaded anew ("foreign", "restored": see chat.js).
   */
  lock(why) {
    this.#locked = why;
    this.#box.readOnly = true; // it keeps the focus, so what is still typed goes nowhere else
    this.#form.dataset.locked = "";
    this.#saveDraft();
  }

  unlock() {
    this.#locked = "";
    this.#box.readOnly = false;
    delete this.#form.dataset.locked;
  }

  /** Why it is locked, or "". */
  get locked() {
    return this.#locked;
  }

  get text() {
    return this.#box.value;
  }

  /** Empty the box and return what was typed while an editor loaded; "" if nothing waits for one. */
  takeEarly() {
    if (!this.#isHeld) return "";
    const { value } = this.#box;
    this.#box.value = "";
    this.#onInput();
    return value;
  }

  discard() {
    this.#box.value = "";
    this.#reply = null;
    this.#showReply();
    this.#show();
    this.#saveDraft();
  }

  // Internal: what a person does

  #onKeydown(event) {
    // 229 is an input method at work, also in browsers that do not say isComposing.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && this.#isSendKey(event)) {
      event.preventDefault();
      this.#form.requestSubmit();
    } else if (event.key === "ArrowUp" && !this.#box.value && !hasModifier(event)) {
      const opening = this.#editLast();
      if (!opening) return;
      event.preventDefault();
      // Enter waits for the editor, but not longer than HOLD: without a connection it may not come.
      this.#isHeld = true;
      const release = () => (this.#isHeld = false);
      opening.then(release);
      clearTimeout(this.#holding); // of an editor opened before this one
      this.#holding = setTimeout(release, HOLD);
    } else if (event.key === "Escape" && this.#reply) {
      event.preventDefault();
      this.replyTo(null);
    }
  }

  /** Who types while nothing has the focus means to write: the first letter is not lost. */
  #focusOnTyping(event) {
    if (this.#locked) return;
    if (event.target !== document.body || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key.length === 1 && event.key !== " ") this.focus(); // a blank scrolls
  }

  /** Enter sends, Shift+Enter breaks the line; on a touch keyboard Enter breaks it too. */
  #isSendKey(event) {
    if (event.ctrlKey || event.metaKey) return true;
    if (event.shiftKey || event.altKey) return false;
    return !matchMedia("(hover: none) and (pointer: coarse)").matches;
  }

  #onInput() {
    this.#showError("");
    this.#show();
    this.#saveDraft();
    if (!this.#locked && !isBlank(this.#box.value)) this.#chat.typing();
  }

  #onSubmit(event) {
    if (this.#locked || this.#isHeld) {
      event.preventDefault();
      return;
    }
    const body = tidyBody(this.#box.value);
    if (isBlank(body)) {
      event.preventDefault();
      this.focus();
    } else if (bodyLength(body) > this.#max) {
      event.preventDefault();
      this.#showError(
        t("composer.too_long", { max: this.#max.toLocaleString(document.documentElement.lang) }),
      );
    } else {
      // Only once the words are in the outbox is the form kept from being sent the plain way.
      const { kept } = this.#chat.send({ body, reply_to: this.#reply?.id ?? null });
      event.preventDefault();
      this.#empty(kept);
    }
  }

  #empty(kept) {
    this.#box.value = "";
    this.#reply = null;
    this.#showReply();
    this.#show();
    this.#showError("");
    // The draft goes when the outbox has the words on disk: a crash in between loses nothing.
    kept.then(() => this.#saveDraft());
    this.#onSent();
  }

  // Internal: drafts

  #restore() {
    const draft = this.#drafts.read(this.#conversation);
    this.#reply = this.#replyOnPage();
    if ("shared" in this.#form.dataset) {
      this.#insertShared(draft);
      return;
    }
    // What the server gave back with a reason, or the browser restored, is newer than any draft.
    if (this.#box.value || !draft) return;
    this.#box.value = draft.body ?? "";
    this.#reply ??= draft.reply ?? null;
    this.#showReply();
  }

  /** Words another app shared: below what was begun here, and once, however often this is loaded. */
  #insertShared(draft) {
    if (draft?.body) this.#box.value = `${draft.body}\n${this.#box.value}`;
    this.#reply ??= draft?.reply ?? null;
    this.#showReply();
    this.#saveDraft();
    history.replaceState(null, "", location.pathname);
  }

  #replyOnPage() {
    const id = Number(this.#form.elements.reply_to.value);
    if (!id) return null;
    const text = (name) => slot(this.#form, name)?.textContent ?? "";
    return { id, author: "", heading: text("reply-author"), excerpt: text("reply-text") };
  }

  #saveDraft() {
    this.#drafts.write(this.#conversation, { body: this.#box.value, reply: this.#reply });
  }

  /** Another tab wrote on the same draft: follow it, unless this is where one is writing. */
  #onStorage(name) {
    if (this.#drafts.conversationOf(name) !== this.#conversation) return;
    if (document.activeElement === this.#box && document.hasFocus()) return;
    const draft = this.#drafts.read(this.#conversation);
    this.#box.value = draft?.body ?? "";
    this.#reply = draft?.reply ?? null;
    this.#showReply();
    this.#show();
  }

  // Internal: what is replied to

  /** The message may have been edited or deleted since the draft was kept. */
  #refreshReply() {
    // Without an answer the preview stays as it was; sending does not depend on it.
    const { id } = this.#reply ?? {};
    if (id)
      this.#chat.loadMessage(id).then(
        () => this.#updateReply([id]),
        () => {},
      );
  }

  /** The preview of a reply is a quote like any other. */
  #updateReply(ids) {
    const quoted = ids.includes(this.#reply?.id) && this.#store.quoteOf(this.#reply.id);
    if (!quoted) return;
    const { id, author, excerpt, deleted } = quoted;
    this.#reply = { id, author: author?.name ?? "", excerpt: deleted ? t("message.deleted") : excerpt };
    this.#showReply();
    this.#saveDraft();
  }

  // Internal: what it looks like

  #show() {
    this.#grow();
    const left = this.#max - bodyLength(this.#box.value);
    const counter = slot(this.#form, "counter");
    counter.hidden = left > WARNING;
    counter.classList.toggle("composer__counter--over", left < 0);
    counter.textContent = left < 0 ? tn("composer.over", -left) : tn("composer.left", left);
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#box.style.blockSize = "auto";
    this.#box.style.blockSize = `${this.#box.scrollHeight}px`;
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
    place.setAttribute("role", "alert");
    if (text) this.#box.setAttribute("aria-invalid", "true");
    else this.#box.removeAttribute("aria-invalid");
  }
}

function hasModifier(event) {
  return event.shiftKey || event.altKey || event.ctrlKey || event.metaKey;
}
