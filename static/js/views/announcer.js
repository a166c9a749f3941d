// New messages for screen readers: author and words, once, several together.

import { excerpt, plain } from "chatty/lib/text.js";
import { say, sayCount, sayNotice } from "chatty/views/words.js";

const TOGETHER = 900; // ms within which messages are announced as one
const SPELT_OUT = 3;

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
    this.#stop = this.#chat.on("spoken", ({ message, own }) => !own && this.#heard(message));
  }

  disconnect() {
    this.#stop?.();
    clearTimeout(this.#timer);
  }

  #heard(message) {
    if (message.deleted_at) return;
    this.#waiting.push(this.#words(message));
    this.#timer ??= setTimeout(() => this.#announce(), TOGETHER);
  }

  #words(message) {
    if (message.kind !== "text") return sayNotice(message);
    return say("announce", { name: message.author?.name ?? "", words: excerpt(plain(message)) });
  }

  #announce() {
    const words = this.#waiting.splice(0);
    this.#timer = null;
    this.#place.textContent =
      words.length > SPELT_OUT ? sayCount("new", words.length) : words.join(" ");
  }
}
