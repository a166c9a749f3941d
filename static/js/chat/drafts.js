// Words not sent yet, kept per conversation through reloads, crashes and closed windows.

export class Drafts {
  #prefix;
  #storage;

  /** `scope` names person and epoch: nobody finds another's draft, nor one from before a restore. */
  constructor(scope, storage = usableStorage()) {
    this.#prefix = `chatty.draft.${scope}.`;
    this.#storage = storage;
  }

  /** {body, reply} or null. `reply` is what the composer needs to show the quote again, or null. */
  read(conversation) {
    try {
      return JSON.parse(this.#storage.getItem(this.#prefix + conversation));
    } catch {
      return null;
    }
  }

  write(conversation, draft) {
    try {
      if (draft.body || draft.reply) {
        this.#storage.setItem(this.#prefix + conversation, JSON.stringify(draft));
      } else {
        this.#storage.removeItem(this.#prefix + conversation);
      }
    } catch {
      // The storage is full or forbidden: the words still stand in the composer.
    }
  }

  clear() {
    for (const name of Object.keys(this.#storage)) {
      if (name.startsWith(this.#prefix)) this.#storage.removeItem(name);
    }
  }

  /** The conversation a `storage` event of another tab is about, or null. */
  conversationOf(name) {
    return name?.startsWith(this.#prefix) ? Number(name.slice(this.#prefix.length)) : null;
  }
}

function usableStorage() {
  try {
    localStorage.getItem("");
    return localStorage;
  } catch {
    return new MemoryStorage();
  }
}

class MemoryStorage {
  getItem(name) {
    return this[name] ?? null;
  }

  setItem(name, value) {
    this[name] = value;
  }

  removeItem(name) {
    delete this[name];
  }
}
