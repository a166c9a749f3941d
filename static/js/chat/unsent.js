// Everything a person has written here and not sent: messages that wait, drafts, edits in progress.
// Whoever ends a sign-in, or says what became of the text, asks here.

export class Unsent {
  #outbox;
  #drafts;

  constructor({ outbox, drafts }) {
    this.#outbox = outbox;
    this.#drafts = drafts;
  }

  get size() {
    return this.#outbox.size + this.#drafts.size;
  }

  /** Remove all of it, in every tab. Never takes long, whatever the browser's database does. */
  async clear() {
    this.#drafts.clear();
    await this.#outbox.clear();
  }
}
