// Telling others: the smallest thing that lets the chat speak without knowing who listens.

export class Emitter {
  #listeners = new Map();

  /** Call `listener(detail)` whenever `type` is emitted; returns the function that stops it. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type)?.delete(listener);
  }

  /** One listener that throws is reported and does not keep the word from the others. */
  emit(type, detail) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(detail);
      } catch (error) {
        globalThis.reportError?.(error);
      }
    }
  }
}
