// Text that is not sent yet, kept through reloads, crashes and closed windows.
//
// A draft goes by the id of its conversation, or by another name for an edit in progress; whatever its
// name, it counts as unsent text and is removed with the rest.

const PREFIX = "chatty.draft.";
const WRITER = "chatty.writer."; // and a scope: whose text is kept under it
const LIFETIME = 30 * 86_400_000; // ms

export class Drafts {
  #prefix;
  #signature;
  #writer;
  #storage;

  /**
   * `scope` names person and epoch: nobody finds another's draft, nor one from before a restore, after which
   * ids may mean something else. `writer`: marks that tell the same person again then, one is enough; "" if
   * nobody writes.
   */
  constructor(scope, writer = "", storage = usableStorage()) {
    this.#prefix = `${PREFIX}${scope}.`;
    this.#signature = WRITER + scope;
    this.#writer = writer;
    this.#storage = storage;
    if (writer) this.#put(this.#signature, { writer });
  }

  /** Scopes under which the same person wrote before a restore. */
  get formerScopes() {
    const marks = this.#writer.match(/\S+/g) ?? [];
    return keysOf(this.#storage, WRITER)
      .filter(
        (name) => name !== this.#signature && marks.some((mark) => this.#get(name)?.writer.includes(mark)),
      )
      .map((name) => name.slice(WRITER.length));
  }

  /** {body, reply} or null. `reply` is what the composer needs to show the quote again, or null. */
  read(name) {
    return this.#get(this.#prefix + name);
  }

  write(name, draft) {
    this.#put(this.#prefix + name, draft.body || draft.reply ? draft : null);
  }

  /** What this person's drafts go by. */
  names() {
    return keysOf(this.#storage, this.#prefix).map((name) => name.slice(this.#prefix.length));
  }

  /** How many there are of this person. */
  get size() {
    return this.names().length;
  }

  /** Ids of the conversations that have one, or in which an edit was begun. */
  conversations() {
    return this.names()
      .map((name) => Number(name) || this.read(name)?.conversation)
      .filter(Boolean);
  }

  /** Remove all of this scope, and whose they were. */
  clear() {
    for (const name of [...keysOf(this.#storage, this.#prefix), this.#signature]) this.#put(name, null);
  }

  /** Remove whatever nobody has come back to for 30 days, whoever wrote it. */
  removeOld(now = Date.now()) {
    for (const name of [...keysOf(this.#storage, PREFIX), ...keysOf(this.#storage, WRITER)]) {
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

  // Internal

  #get(name) {
    try {
      return JSON.parse(this.#storage.getItem(name));
    } catch {
      return null;
    }
  }

  /** `value` null: remove it. */
  #put(name, value) {
    try {
      if (value) this.#storage.setItem(name, JSON.stringify({ ...value, at: Date.now() }));
      else this.#storage.removeItem(name);
    } catch {
      // The storage is full or forbidden: the text still stands in the composer.
    }
  }
}

function keysOf(storage, prefix) {
  return Object.keys(storage).filter((name) => name.startsWith(prefix));
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
