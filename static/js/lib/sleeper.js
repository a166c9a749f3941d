// Waiting that can be cut short.

export class Sleeper {
  #wakers = new Set();

  /** @returns {Promise<void>} resolved after `duration` ms, or by wake() */
  sleep(duration) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, duration);
      this.#wakers.add(wake);
    });
  }

  wake() {
    for (const wake of [...this.#wakers]) wake();
  }
}
