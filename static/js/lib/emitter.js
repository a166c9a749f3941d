// A minimal event emitter. Code in chat/ uses it to notify the views without depending on them.

export class Emitter {
  #listeners = new Map();

  /** Call `listener(detail)` whenever `type` is emitted; returns the function that stops it. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type)?.delete(listener);
  }

  /** A listener that throws is reported; the others are still called. */
  emit(type, detail) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(detail);
      } catch (error) {
        reportError(error);
      }
    }
  }
}

/**
 * Forwards events of other emitters in order, but buffers them until replay() is called.
 * `sources`: [emitter, ...types].
 */
export class BufferedEmitter extends Emitter {
  #buffer = [];
  #stops = [];

  constructor(...sources) {
    super();
    for (const [source, ...types] of sources) {
      for (const type of types) this.#stops.push(source.on(type, (detail) => this.#receive(type, detail)));
    }
  }

  disconnect() {
    for (const stop of this.#stops) stop();
  }

  replay() {
    const buffer = this.#buffer;
    this.#buffer = null;
    for (const each of buffer ?? []) this.emit(...each);
  }

  #receive(...event) {
    if (this.#buffer) this.#buffer.push(event);
    else this.emit(...event);
  }
}
