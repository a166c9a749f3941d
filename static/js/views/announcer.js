// Announces new messages to screen readers: author and text, in batches.

import { t, tn, noticeText } from "chatty/views/i18n.js";

const TOGETHER = 900; // ms within which messages are announced together
const SPELT_OUT = 3; // more messages than this are announced as a number

export class Announcer {
  #chat;
  #place;
  #waiting = [];
  #timer = null;
  #stop = null;

  constructor({ chat, place }) {
    this.#chat = chat;
    this.#place = place;
  }

  connect() {
    this.#stop = this.#chat.on("message", ({ message, own }) => !own && this.#onMessage(message));
  }

  disconnect() {
    this.#stop?.();
    clearTimeout(this.#timer);
  }

  #onMessage(message) {
    if (message.deleted_at) return;
    this.#waiting.push(this.#textOf(message));
    this.#timer ??= setTimeout(() => this.#announce(), TOGETHER);
  }

  #textOf(message) {
    if (message.kind !== "text") return noticeText(message);
    return t("announce", { name: message.author?.name ?? "", text: message.excerpt });
  }

  #announce() {
    const texts = this.#waiting.splice(0);
    this.#timer = null;
    this.#place.textContent = texts.length > SPELT_OUT ? tn("new", texts.length) : texts.join(" ");
  }
}
