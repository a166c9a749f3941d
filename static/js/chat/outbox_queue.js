// The queue of one conversation in the outbox.

/** Records by key, in order. Failed ones are kept apart and don't block the others. */
export class OutboxQueue {
  waiting = new Map();
  failed = new Map();
  adding = new Set(); // keys of records not stored yet
  sending = new Set(); // keys
  #last = 0; // the highest order in `waiting`

  first() {
    const [record] = this.waiting.values();
    return record;
  }

  /** All records, oldest first. */
  all() {
    return [...this.waiting.values(), ...this.failed.values()].sort(compareOrder);
  }

  set(record) {
    const isNew = !this.waiting.has(record.key);
    if (record.failure) {
      this.waiting.delete(record.key);
      this.failed.set(record.key, record);
      return;
    }
    this.failed.delete(record.key);
    const isBehind = record.order >= this.#last;
    const isMoved = !isNew && this.waiting.get(record.key).order !== record.order;
    this.waiting.set(record.key, record);
    this.#last = Math.max(this.#last, record.order);
    // Rare: a failed record is retried, or one from another tab belongs in between.
    if (isNew ? !isBehind : isMoved) {
      this.waiting = new Map([...this.waiting].sort(([, a], [, b]) => compareOrder(a, b)));
    }
  }

  delete(key) {
    this.waiting.delete(key);
    this.failed.delete(key);
    this.adding.delete(key);
    this.sending.delete(key);
    if (!this.waiting.size) this.#last = 0;
  }
}

function compareOrder(a, b) {
  return a.order - b.order || (a.key < b.key ? -1 : 1);
}
