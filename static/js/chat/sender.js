// Sends the records of the outbox, over the socket or with HTTP requests, and shows them in the store.

import { ApiError } from "chatty/chat/rest.js";

const ANSWER = 15_000; // ms to wait for `sent` before sending the same key again

export class Sender {
  #me;
  #conversation;
  /** @type {import("chatty/chat/connection.js").Connection} */
  #connection;
  #rest;
  /** @type {import("chatty/chat/store.js").Store} */
  #store;
  #outbox = null;
  #t;
  #answers = new Map(); // key -> {resolve, reject, timer} of sends without an answer yet

  constructor({ me, conversation, connection, rest, store, t }) {
    this.#me = me;
    this.#conversation = conversation;
    this.#connection = connection;
    this.#rest = rest;
    this.#store = store;
    this.#t = t;
  }

  /** Start `outbox`, which must have been created with createDeliver(). */
  async use(outbox) {
    this.#outbox = outbox;
    outbox.on("change", (change) => this.#showPending(change));
    outbox.on("sent", ({ record, answer }) => this.#showSent(record, answer));
    outbox.on("discarded", ({ record }) => this.#store?.drop(record.key));
    await outbox.connect();
  }

  disconnect() {
    this.#outbox?.disconnect();
  }

  /** The `deliver` function of an Outbox. */
  createDeliver() {
    const deliver = (record) =>
      this.#connection.online ? this.#deliverBySocket(record) : this.#deliverByRest(record);
    deliver.ready = () => this.#connection.ready;
    return deliver;
  }

  get outbox() {
    return this.#outbox;
  }

  /** `content`: the fields of the message, by their names on the wire. */
  send(content) {
    return this.#outbox.add({ ...content, conversation: this.#conversation });
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

  #deliverBySocket(record) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#loseAnswer(record.key), ANSWER);
      this.#answers.set(record.key, { resolve, reject, timer });
      const { conversation, key } = record;
      /** @type {Wire.Send} */
      const frame = { ...contentOf(record), type: "send", conversation, key };
      if (!this.#connection.send(frame)) this.#loseAnswer(key);
    });
  }

  async #deliverByRest(record) {
    const path = `conversations/${record.conversation}/messages/`;
    /** @type {Wire.Message} */
    const message = await this.#rest.post(path, { ...contentOf(record), key: record.key });
    if (record.conversation === this.#conversation) this.#store?.merge([message]);
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

  #showPending({ conversation, key }) {
    if (conversation !== this.#conversation || !this.#store) return;
    const entry = this.#outbox.entry(key);
    if (entry) this.#store.addPending(entry);
    else if (this.#store.getPending(key)?.state !== "sent") this.#store.drop(key);
  }

  #showSent(record, answer) {
    if (record.conversation === this.#conversation) this.#store?.settle(record.key, answer);
  }
}

/** The content of a record of the outbox. Those of earlier versions have no `content`. */
function contentOf({ content, body, reply_to }) {
  return content ?? { body, reply_to };
}
