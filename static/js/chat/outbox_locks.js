// Locks of the outbox: one tab at a time sends the messages of a conversation.

import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";

const LOCK_WAIT = 10_000; // ms to wait for a lock before checking if the tab holding it is still active

/**
 * A lock only saves duplicate requests. Each tab sends in order and waits for each answer, so the order is
 * right without it, and a frozen tab that holds the lock must not block the others forever.
 */
export class OutboxLocks {
  #name;
  #locks;
  #wait;
  #lastHeard = new Map(); // conversation -> when another tab last reported sending there

  constructor({ name, locks = navigator.locks, wait = LOCK_WAIT }) {
    this.#name = name;
    this.#locks = locks ?? new LocalLocks();
    this.#wait = wait;
  }

  /** Another tab has reported that it is sending. */
  noteSending(conversation) {
    this.#lastHeard.set(conversation, momentNow());
  }

  /** Whether another tab has sent in this conversation. */
  isShared(conversation) {
    return this.#lastHeard.has(conversation);
  }

  /**
   * Run `work` with the lock, or without it if the tab that holds it seems frozen. Gives up when `isRunning()`
   * turns false.
   */
  async run(conversation, work, isRunning) {
    while (isRunning()) {
      const gate = new AbortController();
      const timer = setTimeout(() => gate.abort(), this.#wait);
      let begun = false;
      try {
        return await this.#locks.request(`${this.#name}.${conversation}`, { signal: gate.signal }, () => {
          begun = true;
          clearTimeout(timer);
          return work();
        });
      } catch (error) {
        if (begun) throw error;
        const silence = elapsedSince(this.#lastHeard.get(conversation));
        if (!gate.signal.aborted || silence > 4 * this.#wait) return work();
      } finally {
        clearTimeout(timer);
      }
    }
    return undefined;
  }
}

/** A fallback without Web Locks (on plain HTTP), which only serialises work within this tab. */
class LocalLocks {
  #held = new Map();

  request(name, _options, work) {
    const turn = (this.#held.get(name) ?? Promise.resolve()).then(work, work);
    this.#held.set(
      name,
      turn.catch(() => {}),
    );
    return turn;
  }
}
