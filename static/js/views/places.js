// Where one was: the scroll position and the focus, by entry of the browser's history, and by conversation. In
// sessionStorage, so that a reload keeps them.

const PREFIX = "chatty.places.";
const KEPT = 60; // latest

export class Places {
  #places;
  #name;

  /** `scope` identifies account and epoch: ids of another database may refer to something else. */
  constructor(scope) {
    this.#name = PREFIX + scope;
    this.#places = new Map(this.#read());
  }

  /** Null if there is none. `name`: of an entry or a conversation. */
  get(name) {
    return this.#places.get(name) ?? null;
  }

  /** `place`: {scroll: see MessageList.place(), focus: id of an element or ""}. */
  set(name, place) {
    this.#places.delete(name); // so that it is the latest
    this.#places.set(name, place);
    for (const old of [...this.#places.keys()].slice(0, -KEPT)) this.#places.delete(old);
    try {
      sessionStorage.setItem(this.#name, JSON.stringify([...this.#places]));
    } catch {
      // Full or blocked: a reload shows what is new.
    }
  }

  #read() {
    try {
      return JSON.parse(sessionStorage.getItem(this.#name)) ?? [];
    } catch {
      return [];
    }
  }
}

/** The name of the entry of the browser's history that is shown, if it was given one. See Navigation. */
export function entryNow() {
  return history.state?.entry;
}
