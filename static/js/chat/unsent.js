// All unsent text in this browser: outbox, drafts and edits in progress. Used when signing out and for
// notices about the text.

export class Unsent {
  #outbox;
  #drafts;

  constructor({ outbox, drafts }) {
    this.#outbox = outbox;
    this.#drafts = drafts;
  }

  /** Not including text from before a restore. */
  get size() {
    return this.#outbox.size + this.#drafts.size;
  }

  async count() {
    return this.size + (await this.#former("countFormer"));
  }

  /** Remove all of it, in every tab. Does not wait long for the browser's database. */
  async clear() {
    await this.#former("clearFormer");
    this.#drafts.clear();
    await this.#outbox.clear();
  }

  async #former(work) {
    const { formerScopes: scopes } = this.#drafts;
    return scopes.length ? (await import("chatty/chat/former.js"))[work](scopes) : 0;
  }
}
