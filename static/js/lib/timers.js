// Timers by name. Setting one again replaces it.

export class Timers {
  #timers = new Map();

  has(name) {
    return this.#timers.has(name);
  }

  set(name, delay, work) {
    this.clear(name);
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

  clearAll() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
