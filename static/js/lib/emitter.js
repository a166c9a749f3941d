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

/** Says what others say, in the order they say it, but nothing before open(): until then it keeps it.
 * `sources`: [emitter, ...types]. */
export class BufferedEmitter extends Emitter {
  #buffer = [];

  constructor(...sources) {
    super();
    for (const [source, ...types] of sources) {
      for (const type of types) source.on(type, (detail) => this.#receive(type, detail));
    }
  }

  replay() {
    const buffer = this.#buffer;
    this.#buffer = null;
    for (const each of buffer) this.emit(...each);
  }

  #receive(...event) {
    if (this.#buffer) this.#buffer.push(event);
    else this.emit(...event);
  }
}
