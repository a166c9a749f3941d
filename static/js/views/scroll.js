// The scroll of the timeline: at its end it stays at its end, anywhere else nothing moves.

const NEAR = 48; // px from the end that still count as the end

export class Scroll {
  #box;
  #inner;
  #anchor = null; // {element, top}: what the reader looks at
  #atEnd = true;
  #resizing;
  #ending = new AbortController();
  #onMove;

  /** `box` scrolls, `inner` is its one child. `onMove()` after every movement or change of size. */
  constructor({ box, inner, onMove }) {
    this.#box = box;
    this.#inner = inner;
    this.#onMove = onMove;
  }

  // Lifecycle

  connect() {
    // The browser's own anchoring would correct a second time what is corrected here.
    this.#box.classList.add("timeline--anchored");
    this.#box.addEventListener("scroll", () => this.#onScroll(), {
      passive: true,
      signal: this.#ending.signal,
    });
    // Late pictures, fonts, a growing composer, a turned phone: the place is kept through them all.
    this.#resizing = new ResizeObserver(() => this.#restore());
    this.#resizing.observe(this.#inner);
    this.#resizing.observe(this.#box);
    this.#onScroll();
  }

  disconnect() {
    this.#ending.abort();
    this.#resizing.disconnect();
  }

  // What is seen

  get atEnd() {
    return this.#distance() <= NEAR;
  }

  /** True when the whole element, or at least its lower edge, is in sight. */
  hasSeen(element) {
    const { top, bottom } = this.#box.getBoundingClientRect();
    const edge = element.getBoundingClientRect().bottom;
    return edge > top && edge <= bottom + 2;
  }

  /** The last of `elements`, which stand one below the other, that hasSeen() is true of. */
  lastSeen(elements) {
    const { bottom } = this.#box.getBoundingClientRect();
    const beyond = (each) => each.getBoundingClientRect().bottom > bottom + 2;
    const last = elements[firstIndex(elements, beyond) - 1];
    return last && this.hasSeen(last) ? last : undefined;
  }

  /** The part of the timeline that is in sight: "older" half or "newer" half of what is loaded. */
  get nearerTo() {
    const above = this.#box.getBoundingClientRect().top - this.#inner.getBoundingClientRect().top;
    return above < this.#distance() ? "older" : "newer";
  }

  /** {element, top}, or undefined where nothing was said. */
  get firstInSight() {
    return this.#findAnchor().find(({ element }) => element.dataset.messageId);
  }

  // Moving

  toEnd({ smooth = false } = {}) {
    const behavior = smooth && !prefersStillness() ? "smooth" : "instant";
    this.#box.scrollBy({ top: this.#distance(), behavior });
    if (behavior === "instant") this.#onScroll();
  }

  to(element, { block = "center" } = {}) {
    element.scrollIntoView({ block, behavior: "instant" });
    this.#onScroll();
  }

  /** Let the element stand `top` pixels below the upper edge. */
  put(element, top) {
    this.#hold([{ element, top }]);
    this.#onScroll();
  }

  /** Do `work`, which changes the timeline, without moving what the reader looks at. */
  keep(work) {
    const wasAtEnd = this.atEnd;
    const anchor = wasAtEnd ? null : this.#findAnchor();
    work();
    if (wasAtEnd) this.toEnd();
    else this.#hold(anchor);
    this.#onScroll();
  }

  // Internal

  #distance() {
    return this.#inner.getBoundingClientRect().bottom - this.#box.getBoundingClientRect().bottom;
  }

  #onScroll() {
    this.#atEnd = this.atEnd;
    this.#anchor = this.#atEnd ? null : this.#findAnchor();
    this.#onMove();
  }

  #restore() {
    if (this.#atEnd) this.toEnd();
    else this.#hold(this.#anchor);
    this.#onMove();
  }

  /** The first messages in sight, each with its place: should the first go, the next one holds. */
  #findAnchor() {
    const { top, bottom } = this.#box.getBoundingClientRect();
    const found = [];
    const all = [...this.#inner.querySelectorAll(":scope > [data-kind]")];
    const first = firstIndex(all, (each) => each.getBoundingClientRect().bottom > top);
    for (const element of all.slice(first, first + 9)) {
      const place = element.getBoundingClientRect();
      if (place.top >= bottom) break;
      found.push({ element, top: place.top - top });
    }
    return found;
  }

  #hold(anchors) {
    const anchor = anchors?.find(({ element }) => element.isConnected);
    if (!anchor) return;
    const top = this.#box.getBoundingClientRect().top;
    const shift = anchor.element.getBoundingClientRect().top - top - anchor.top;
    if (Math.abs(shift) >= 0.5) this.#box.scrollTop += shift;
  }
}

function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Where in `sorted` the elements begin of which `is` is true; its length if there are none. */
export function firstIndex(sorted, is) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(sorted[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}
