// Drafts in localStorage, which survive reloads, crashes and closed windows.
//
// A draft's name is the id of its conversation, or "edit." and a message id for an edit in progress.
// Both count as unsent text and are removed with it.

const PREFIX = "chatty.draft.";
const WRITER = "chatty.writer."; // plus a scope: identifies the author of its drafts

const refused = {}; // what the storage did not take, because it is full or blocked: kept while the page is open

export class Drafts {
  #prefix;
  #signature;
  #writer;
  #storage;

  /**
   * `scope` identifies account and epoch: drafts of other accounts are not shown, nor those from before a
   * restore, after which ids may refer to something else. `writer`: tokens separated by spaces. After a
   * restore, a shared one identifies the same person. "" to store none.
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

  /**
   * The content of the message, and `reply`: the quoted message as in Composer.replyTo(), or null. With the
   * `key` of a message, it has been sent, and is only there until the outbox has stored that. Drafts of edits have
   * `body`, `edited_at` and `conversation`. Null if there is none.
   */
  read(name) {
    return this.#get(this.#prefix + name);
  }

  /** Without any values, the draft is removed. */
  write(name, draft) {
    this.#put(this.#prefix + name, Object.values(draft).some(Boolean) ? draft : null);
  }

  names() {
    return keysOf(this.#storage, this.#prefix).map((name) => name.slice(this.#prefix.length));
  }

  /** False if a reload would lose a draft, because the storage did not take it. */
  get stored() {
    return !keysOf({}, this.#prefix)[0];
  }

  get size() {
    return this.names().length;
  }

  /** Ids of the conversations with a draft or an edit in progress. */
  conversations() {
    return this.names()
      .map((name) => Number(name) || this.read(name)?.conversation)
      .filter(Boolean);
  }

  /** Remove all drafts of this scope, and the record of their author. */
  clear() {
    for (const name of [...keysOf(this.#storage, this.#prefix), this.#signature]) this.#put(name, null);
  }

  /** The conversation of a `storage` event's key, or null. */
  conversationOf(name) {
    return name?.startsWith(this.#prefix) ? Number(name.slice(this.#prefix.length)) : null;
  }

  // Internal

  #get(name) {
    try {
      return JSON.parse(refused[name] ?? this.#storage.getItem(name));
    } catch {
      return null;
    }
  }

  /** Store `value`, or remove it if null. */
  #put(name, value) {
    const text = value && JSON.stringify({ ...value, at: Date.now() });
    delete refused[name];
    try {
      if (text) this.#storage.setItem(name, text);
      else this.#storage.removeItem(name);
    } catch {
      if (text) refused[name] = text;
    }
  }
}

function keysOf(storage, prefix) {
  return Object.keys({ ...storage, ...refused }).filter((name) => name.startsWith(prefix));
}

/** Where storage is blocked, everything is refused. */
function usableStorage() {
  try {
    localStorage.getItem("");
    return localStorage;
  } catch {
    return {};
  }
}
