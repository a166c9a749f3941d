// Sends the records of the outbox, over the socket or with HTTP requests.
//
// Emits:
//   posted   {conversation, message}   a message as the answer to an HTTP request has it

import { ApiError } from "chatty/chat/rest.js";
import { Emitter } from "chatty/lib/emitter.js";

const ANSWER = 15_000; // ms to wait for `sent` before sending the same key again

export class Sender extends Emitter {
  #me;
  /** @type {import("chatty/chat/connection.js").Connection} */
  #connection;
  #rest;
  /** @type {import("chatty/chat/outbox.js").Outbox | null} */
  #outbox = null;
  #t;
  #answers = new Map(); // key -> {resolve, reject, timer} of sends without an answer yet

  constructor({ me, connection, rest, t }) {
    super();
    this.#me = me;
    this.#connection = connection;
    this.#rest = rest;
    this.#t = t;
  }

  /** Start `outbox`, which must have been created with createDeliver(). */
  async use(outbox) {
    this.#outbox = outbox;
    await outbox.connect();
  }

  disconnect() {
    this.#outbox?.disconnect();
  }

  /** The `deliver` function of an Outbox. */
  createDeliver() {
    const deliver = async (record) => {
      let content = contentOf(record);
      if (content.files) {
        const uploads = await import("chatty/chat/uploads.js");
        content = await uploads.finishUploads(content, this.#rest, this.#t, this.#outbox);
      }
      return this.#connection.online
        ? this.#deliverBySocket(record, content)
        : this.#deliverByRest(record, content);
    };
    deliver.ready = () => this.#connection.ready;
    return deliver;
  }

  get outbox() {
    return this.#outbox;
  }

  /** Send what is queued now rather than after the current delay. */
  kick() {
    this.#outbox?.kick();
  }

  // Answers

  /** @param {Wire.SentFrame} frame */
  applySent(frame) {
    this.#settle(frame.key, (answer) => answer.resolve(frame));
  }

  /**
   * The message itself can arrive before `sent`.
   * @param {Wire.MessageFrame} frame
   */
  applyMessage({ message, version }) {
    this.#settle(message.key, (answer) => {
      const { id, seq, author } = message;
      if (author?.id === this.#me) answer.resolve({ id, seq, version });
    });
  }

  /** @param {Wire.ErrorFrame} frame with a key */
  applyError({ key, code, detail, retry, retry_after }) {
    const error = new ApiError({ code, detail, retry, retryAfter: retry_after ?? 0 });
    this.#settle(key, (answer) => answer.reject(error));
  }

  /** Stop waiting for answers: the connection they would arrive on is lost. */
  loseAnswers() {
    for (const key of [...this.#answers.keys()]) this.#loseAnswer(key);
  }

  // Internal

  #deliverBySocket({ conversation, key }, content) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#loseAnswer(key), ANSWER);
      this.#answers.set(key, { resolve, reject, timer });
      /** @type {Wire.Send} */
      const frame = { ...content, type: "send", conversation, key };
      if (!this.#connection.send(frame)) this.#loseAnswer(key);
    });
  }

  async #deliverByRest({ conversation, key }, content) {
    const path = `conversations/${conversation}/messages/`;
    /** @type {Wire.Message} */
    const message = await this.#rest.post(path, { ...content, key });
    this.emit("posted", { conversation, message });
    return { id: message.id, seq: message.seq, version: message.version };
  }

  #settle(key, how) {
    const answer = this.#answers.get(key);
    if (!answer) return;
    clearTimeout(answer.timer);
    this.#answers.delete(key);
    how(answer);
  }

  /** It is unknown whether the message was stored. Sending the same key again is safe. */
  #loseAnswer(key) {
    const detail = this.#t("error.unreachable");
    this.#settle(key, ({ reject }) => reject(new ApiError({ code: "unreachable", detail, retry: true })));
  }
}

/** The content of a record of the outbox. Those of earlier versions have no `content`. */
function contentOf({ content, body, reply_to }) {
  return content ?? { body, reply_to };
}
