// Timers by name. Setting one again replaces it.

export class Timers {
  #timers = new Map();
  #isClosed = false;

  has(name) {
    return this.#timers.has(name);
  }

  set(name, delay, work) {
    this.clear(name);
    if (this.#isClosed) return;
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        work();
      }, delay),
    );
  }

  clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  /** Clear all, and set none from now on: requests may still be running whose answers would set one. */
  close() {
    this.#isClosed = true;
    for (const name of [...this.#timers.keys()]) this.clear(name);
  }
}
