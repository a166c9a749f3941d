// Inline editing of messages. The text is stored as a draft under the message's id until it is saved or
// cancelled. If the message was edited elsewhere in the meantime, that version is shown before it can be
// overwritten.

import { bodyLength, isBlank, tidyBody } from "chatty/lib/text.js";
import { element, fromTemplate, grow, idOf, isTouch, part, setServerHtml, slot } from "chatty/views/dom.js";
import { formatKeys } from "chatty/views/formatting.js";
import { announce } from "chatty/views/live_region.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";
import { startWriting } from "chatty/views/writing_start.js";

const NAME = /^edit\.(\d+)$/; // of a draft

export class Editing {
  #chat;
  #timeline;
  #drafts;
  #composer;
  #max;
  #canEdit; // (row) => boolean
  #writing; // what startWriting() needs
  #unsaved = new Set(); // ids of messages with a draft but no open editor
  #open = new Map(); // message id -> its row with an editor
  #openers = new WeakMap(); // editor -> the element that had the focus when it was opened
  #helpers = new Map(); // editor -> what startWriting() returned
  #bases = new WeakMap(); // editor -> `edited_at` of the message when the edit began
  #stop;

  constructor({ chat, timeline, drafts, composer, max, canEdit, writing }) {
    this.#chat = chat;
    this.#timeline = timeline;
    this.#drafts = drafts;
    this.#composer = composer;
    this.#max = max;
    this.#canEdit = canEdit;
    this.#writing = writing;
  }

  // Lifecycle

  connect() {
    this.#stop = this.#chat.store.on("change", ({ ids }) => {
      this.#closeDeleted(ids);
      this.#trackRemoved();
      this.#reopen(ids);
    });
    for (const name of this.#drafts.names()) {
      const id = Number(name.match(NAME)?.[1] ?? 0);
      if (id && this.#drafts.read(name)?.conversation === this.#chat.id) this.#unsaved.add(id);
    }
    this.resume();
  }

  disconnect() {
    this.#stop();
    for (const editor of this.#helpers.keys()) this.#release(editor);
  }

  /** Reopen the editors of edits in progress, such as when the conversation is no longer archived. */
  resume() {
    for (const id of [...this.#unsaved]) this.#resume(id);
  }

  /** Open the editor in a message's row. Rejects with an ApiError if its source can't be loaded. */
  async open(row, { focus = true } = {}) {
    const opened = row.querySelector(".editor");
    if (opened) {
      if (focus) this.#focusEnd(idOf(row), opened);
      return;
    }
    const id = idOf(row);
    const opener = focus ? document.activeElement : null;
    const wasUnsaved = this.#unsaved.delete(id);
    const message = await this.#chat.loadMessage(id).catch((error) => {
      if (wasUnsaved) this.#unsaved.add(id);
      throw error;
    });
    if (row.querySelector(".editor") || message.deleted_at) return;
    this.#open.set(id, row);
    const editor = fromTemplate("editor-template");
    const box = editor.elements.body;
    const draft = this.#drafts.read(nameOf(id));
    box.value = draft?.body ?? message.body;
    this.#bases.set(editor, draft ? draft.edited_at : message.edited_at);
    editor.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(row, editor);
    });
    box.addEventListener("input", () => {
      grow(box);
      this.#saveDraft(id, editor);
    });
    formatKeys(box); // before the keys of the editor
    editor.addEventListener("keydown", (event) => this.#onKeydown(event, row, editor));
    editor.querySelector("[data-action=cancel]").addEventListener("click", () => this.#cancel(row));
    this.#helpers.set(editor, startWriting({ ...this.#writing, form: editor }));
    if (opener) this.#openers.set(editor, opener);
    row.classList.add("message--editing");
    part(row, "message__body").after(editor);
    grow(box);
    if (draft && draft.edited_at !== message.edited_at && draft.body !== message.body) {
      this.#showConflict(editor, message);
    }
    if (focus) this.#focusEnd(id, editor);
  }

  /** Append what was typed into the composer while the editor was loading, and put the cursor at the end. */
  #focusEnd(id, editor) {
    const { body: box } = editor.elements;
    const early = this.#composer.takeEarly();
    if (early) {
      box.value += early;
      grow(box);
      this.#saveDraft(id, editor);
    }
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
    editor.scrollIntoView({ block: "nearest" });
  }

  // Internal: edits in progress from earlier

  /** If the message is not on the page, only check whether it was deleted. */
  async #resume(id) {
    if (this.#timeline.row(id)) return this.#reopen([id]);
    const message = await this.#chat.loadMessage(id).catch(() => null); // keep the draft on errors
    if (message?.deleted_at) this.#moveToComposer(id);
    return undefined;
  }

  #reopen(ids) {
    if (!this.#unsaved.size) return;
    for (const id of ids) {
      const row = this.#unsaved.has(id) && this.#timeline.row(id);
      if (!row) continue;
      if (!this.#drafts.read(nameOf(id))) {
        this.#unsaved.delete(id); // discarded in the meantime
      } else if (row.classList.contains("message--deleted")) {
        this.#moveToComposer(id);
      } else if (this.#canEdit(row)) {
        this.open(row, { focus: false }).catch(() => {}); // retried when the message changes
      }
    }
  }

  /** The message was deleted: move the edited text to the composer. */
  #moveToComposer(id) {
    const draft = this.#drafts.read(nameOf(id));
    if (!draft) return;
    this.#unsaved.delete(id);
    toast.error(t("edit.deleted"));
    this.#composer.amend({ body: draft.body });
    this.#drafts.write(nameOf(id), {});
  }

  /** Editors are lost with their rows when another part of the history is shown. Remember their drafts. */
  #trackRemoved() {
    for (const [id, row] of this.#open) {
      if (row.isConnected) continue;
      this.#open.delete(id);
      this.#release(row.querySelector(".editor"));
      if (this.#drafts.read(nameOf(id))) this.#unsaved.add(id);
    }
  }

  #closeDeleted(ids) {
    for (const id of ids) {
      const row = this.#timeline.row(id);
      const editor = row?.querySelector(".editor");
      if (!editor || !row.classList.contains("message--deleted")) continue;
      this.#saveDraft(id, editor, { even: true });
      this.#close(row);
      this.#moveToComposer(id);
    }
  }

  // Internal: open editors

  #saveDraft(id, editor, { even = false } = {}) {
    const body = editor.elements.body.value;
    const isChanged = even || body !== this.#chat.store.get(id)?.body;
    const draft = { body, edited_at: this.#bases.get(editor), conversation: this.#chat.id };
    this.#drafts.write(nameOf(id), isChanged && body ? draft : {});
  }

  #onKeydown(event, row, editor) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      this.#cancel(row);
    } else if (
      event.key === "Enter" &&
      !event.shiftKey &&
      !isTouch.matches &&
      event.target.matches("textarea")
    ) {
      event.preventDefault();
      editor.requestSubmit();
    }
  }

  async #save(row, editor) {
    const id = idOf(row);
    const body = tidyBody(editor.elements.body.value);
    if (isBlank(body) && !this.#chat.store.get(id)?.files) return showError(editor, t("edit.empty"));
    if (bodyLength(body) > this.#max) {
      const max = this.#max.toLocaleString(document.documentElement.lang);
      return showError(editor, t("composer.too_long", { max }));
    }
    if (editor.getAttribute("aria-busy") === "true") return undefined;
    editor.setAttribute("aria-busy", "true");
    try {
      await this.#chat.edit(id, body, this.#bases.get(editor));
      this.#cancel(row);
    } catch (error) {
      if (error.current) this.#showConflict(editor, error.current);
      else showError(editor, error.detail ?? t("error.server"));
    } finally {
      editor.removeAttribute("aria-busy");
    }
    return undefined;
  }

  /** Show the other version above the editor. Saving after that overwrites it. */
  #showConflict(editor, message) {
    showError(editor, t("edit.conflict"));
    editor.querySelector(".conflict")?.remove();
    const text = element("div", "conflict__other message__body");
    text.dir = "auto";
    setServerHtml(text, message.html);
    const other = element("div", "conflict", element("p", "conflict__label", t("edit.now")), text);
    slot(editor, "error").after(other);
    editor.querySelector("[type=submit]").textContent = t("edit.mine");
    editor.querySelector("[data-action=cancel]").textContent = t("edit.theirs");
    this.#bases.set(editor, message.edited_at);
    this.#saveDraft(message.id, editor, { even: true });
    editor.scrollIntoView({ block: "nearest" });
  }

  #cancel(row) {
    this.#drafts.write(nameOf(idOf(row)), {});
    this.#close(row);
  }

  #close(row) {
    this.#open.delete(idOf(row));
    const editor = row.querySelector(".editor");
    // The focus may have moved since the request was sent. Leave it there.
    const focused = document.activeElement;
    const isElsewhere = focused && focused !== document.body && !editor?.contains(focused);
    const opener = this.#openers.get(editor);
    this.#release(editor);
    editor?.remove();
    row.classList.remove("message--editing");
    if (isElsewhere) return;
    // Back to where it was opened. Otherwise to the message, not to the composer: a phone would show its
    // keyboard.
    const isThere = opener?.isConnected && opener.matches("textarea, .message, .message *");
    (isThere ? opener : row).focus({ preventScroll: true });
    if (document.activeElement === document.body) row.focus({ preventScroll: true }); // it is hidden now
  }

  #release(editor) {
    this.#helpers.get(editor)?.disconnect();
    this.#helpers.delete(editor);
  }
}

function nameOf(id) {
  return `edit.${id}`;
}

function showError(editor, text) {
  const place = slot(editor, "error");
  place.textContent = text;
  place.hidden = !text;
  announce(text);
}
