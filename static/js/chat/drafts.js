// Text that is not sent yet, kept through reloads, crashes and closed windows.
//
// A draft goes by the id of its conversation, or by another name for an edit in progress; whatever its
// name, it counts as unsent text and is removed with the rest.

const PREFIX = "chatty.draft.";
const LIFETIME = 30 * 86_400_000; // ms

export class Drafts {
  #person;
  #prefix;
  #storage;

  /** `scope` names person and epoch: nobody finds another's draft, nor one from before a restore. */
  constructor(scope, storage = usableStorage()) {
    this.#person = `${PREFIX}${scope.split(".")[0]}.`;
    this.#prefix = `${PREFIX}${scope}.`;
    this.#storage = storage;
  }

  /** {body, reply} or null. `reply` is what the composer needs to show the quote again, or null. */
  read(name) {
    try {
      return JSON.parse(this.#storage.getItem(this.#prefix + name));
    } catch {
      return null;
    }
  }

  write(name, draft) {
    try {
      if (draft.body || draft.reply) {
        this.#storage.setItem(this.#prefix + name, JSON.stringify({ ...draft, at: Date.now() }));
      } else {
        this.#storage.removeItem(this.#prefix + name);
      }
    } catch {
      // The storage is full or forbidden: the words still stand in the composer.
    }
  }

  /** What this person's drafts go by. */
  names() {
    return draftNames(this.#storage)
      .filter((name) => name.startsWith(this.#prefix))
      .map((name) => name.slice(this.#prefix.length));
  }

  /** How many there are of this person. */
  get size() {
    return this.names().length;
  }

  /** Ids of the conversations that have one, or in which an edit was begun. */
  conversations() {
    return this.names().map((name) => Number(name) || this.read(name)?.conversation).filter(Boolean);
  }

  /** Remove all of this person's, also those from before a restore. */
  clear() {
    for (const name of draftNames(this.#storage)) {
      if (name.startsWith(this.#person)) this.#storage.removeItem(name);
    }
  }

  /** Remove whatever nobody has come back to for 30 days, whoever wrote it. */
  forgetOld(now = Date.now()) {
    for (const name of draftNames(this.#storage)) {
      try {
        const { at = now } = JSON.parse(this.#storage.getItem(name));
        if (now - at > LIFETIME) this.#storage.removeItem(name);
      } catch {
        // Not ours after all.
      }
    }
  }

  /** The conversation a `storage` event of another tab is about, or null. */
  conversationOf(name) {
    return name?.startsWith(this.#prefix) ? Number(name.slice(this.#prefix.length)) : null;
  }
}

/** The names of everybody's drafts in a storage. */
export function draftNames(storage) {
  return Object.keys(storage).filter((name) => name.startsWith(PREFIX));
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
