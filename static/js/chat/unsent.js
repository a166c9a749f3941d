// All unsent text in this browser: outbox, drafts and edits in progress. Used when signing out.

export class Unsent {
  #sending;

  /** @param {import("chatty/chat/sending.js").Sending} sending */
  constructor(sending) {
    this.#sending = sending;
  }

  async count() {
    return this.#sending.size + (await this.#former("countFormer"));
  }

  /** Remove all of it, in every tab. Does not wait long for the browser's database. */
  async clear() {
    await this.#former("clearFormer");
    this.#sending.drafts.clear();
    await this.#sending.outbox.clear();
  }

  async #former(work) {
    const { formerScopes: scopes } = this.#sending.drafts;
    return scopes.length ? (await import("chatty/chat/former.js"))[work](scopes) : 0;
  }
}
