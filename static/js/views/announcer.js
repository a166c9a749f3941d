// Announces new messages to screen readers, in batches: author and text, and what notices say.

import { announce } from "chatty/views/live_region.js";
import { t, tn, noticeText } from "chatty/views/i18n.js";

const TOGETHER = 900; // ms within which messages are announced together
const SPELT_OUT = 3; // more messages than this are announced as a number, without notices

export class Announcer {
  #chat;
  #waiting = [];
  #timer = null;
  #stop = null;

  constructor({ chat }) {
    this.#chat = chat;
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
    this.#waiting.push(message);
    this.#timer ??= setTimeout(() => this.#announce(), TOGETHER);
  }

  #announce() {
    const waiting = this.#waiting.splice(0);
    this.#timer = null;
    const count = waiting.filter(isText).length;
    // Of many notices only the last, such as when everyone is added to a group.
    const last = waiting.findLast((each) => !isText(each));
    const some =
      waiting.length > SPELT_OUT ? waiting.filter((each) => isText(each) || each === last) : waiting;
    announce(count > SPELT_OUT ? tn("new", count) : some.map(textOf).join(" "));
  }
}

function isText({ kind }) {
  return kind === "text";
}

function textOf(message) {
  if (!isText(message)) return noticeText(message);
  return t("announce", { name: message.author?.name ?? "", text: message.excerpt });
}
