// Everything a person has written here and not sent: messages that wait, drafts, edits in progress.
// Whoever ends a sign-in, or says what became of the text, asks here.

export class Unsent {
  #outbox;
  #drafts;

  constructor({ outbox, drafts }) {
    this.#outbox = outbox;
    this.#drafts = drafts;
  }

  /** Without what was kept before a restore. */
  get size() {
    return this.#outbox.size + this.#drafts.size;
  }

  async count() {
    return this.size + (await this.#former("countFormer"));
  }

  /** Remove all of it, in every tab. Never takes long, whatever the browser's database does. */
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
