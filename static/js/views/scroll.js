// Scrolling of the timeline: it sticks to the end, and elsewhere the visible messages don't move. Most browsers keep
// them in place by themselves, so that mostly nothing is left to correct.

const NEAR = 48; // px from the end that still count as the end
const GLIDE = 1_000; // ms that smooth scrolling takes at most

export class Scroll {
  #box;
  #inner;
  #anchor; // see #findAnchor()
  #atEnd = true;
  #gliding = 0; // until when a smooth scroll to the end can take
  #height = 0; // of the box, when #anchor was found
  #resizing;
  #ending = new AbortController();
  #onMove;

  /** `box` scrolls, `inner` is its only child. `onMove()` is called after scrolling and resizing. */
  constructor({ box, inner, onMove }) {
    this.#box = box;
    this.#inner = inner;
    this.#onMove = onMove;
  }

  // Lifecycle

  connect() {
    const anchor = this.#findAnchor();
    this.#box.classList.add("timeline--live"); // its position is counted from the top then
    this.#hold(anchor);
    this.#box.addEventListener("scroll", () => this.#settle(), {
      passive: true,
      signal: this.#ending.signal,
    });
    // Keep the position when images or fonts load, the composer grows, or a phone is rotated.
    this.#resizing = new ResizeObserver(() => this.#restore());
    this.#resizing.observe(this.#inner);
    this.#resizing.observe(this.#box);
    this.#onScroll();
  }

  disconnect() {
    this.#ending.abort();
    this.#resizing.disconnect();
  }

  // Position

  get atEnd() {
    return this.#distance() <= NEAR;
  }

  /** True if the lower edge of the element is in view. */
  hasSeen(element) {
    const { top, bottom } = this.#box.getBoundingClientRect();
    const edge = element.getBoundingClientRect().bottom;
    return edge > top && edge <= bottom + 2;
  }

  /** The last of `elements` (in document order) for which hasSeen() is true. */
  lastSeen(elements) {
    const { bottom } = this.#box.getBoundingClientRect();
    const beyond = (each) => each.getBoundingClientRect().bottom > bottom + 2;
    const last = elements[firstIndex(elements, beyond) - 1];
    return last && this.hasSeen(last) ? last : undefined;
  }

  /** Which end of the loaded messages is nearer to the view: "older" or "newer". */
  get nearerTo() {
    const above = this.#box.getBoundingClientRect().top - this.#inner.getBoundingClientRect().top;
    return above < this.#distance() ? "older" : "newer";
  }

  /** {element, top} of the first visible message, or undefined if there are none. */
  get firstInSight() {
    return this.#findAnchor().find(({ element }) => element.dataset.seq);
  }

  // Moving

  toEnd({ smooth = false } = {}) {
    const behavior = smooth && !prefersStillness() ? "smooth" : "instant";
    this.#box.scrollBy({ top: this.#distance(), behavior });
    if (behavior === "smooth") this.#gliding = performance.now() + GLIDE;
    this.#onScroll();
  }

  to(element, { block = "center" } = {}) {
    element.scrollIntoView({ block, behavior: "instant" });
    this.#onScroll();
  }

  /** Scroll the element to `top` pixels below the upper edge. */
  put(element, top) {
    this.#hold([{ element, top }]);
    this.#onScroll();
  }

  /** Run `work`, which changes the timeline, without moving the visible messages. */
  keep(work) {
    this.#settle();
    // At the very top, browsers hold nothing in place.
    this.#box.scrollTop ||= 1;
    work();
    this.#restore();
  }

  // Internal

  #distance() {
    return this.#inner.getBoundingClientRect().bottom - this.#box.getBoundingClientRect().bottom;
  }

  /** Events and changes come before the observer hears of a new size, so the anchor is still the old one. */
  #settle() {
    if (this.#box.clientHeight === this.#height) this.#onScroll();
    else this.#restore();
  }

  #onScroll() {
    // A change of size on the way to the end, such as by a bar that goes, must not hold what is in view just now.
    this.#atEnd = this.atEnd || performance.now() < this.#gliding;
    this.#anchor = this.#findAnchor();
    this.#height = this.#box.clientHeight;
    this.#onMove();
  }

  #restore() {
    if (this.#atEnd) return this.toEnd();
    this.#hold(this.#anchor);
    return this.#onScroll();
  }

  /** Messages from the first visible one on as [{element, top}]. If it is removed, the next is the anchor. */
  #findAnchor() {
    const { top } = this.#box.getBoundingClientRect();
    const all = [...this.#inner.querySelectorAll(":scope > .message, :scope > .notice")];
    const first = firstIndex(all, (each) => each.getBoundingClientRect().bottom > top);
    return all
      .slice(first, first + 9)
      .map((element) => ({ element, top: element.getBoundingClientRect().top - top }));
  }

  #hold(anchors) {
    const anchor = anchors.find(({ element }) => element.isConnected);
    if (!anchor) return;
    const { top } = this.#box.getBoundingClientRect();
    const shift = anchor.element.getBoundingClientRect().top - top - anchor.top;
    if (Math.abs(shift) >= 0.5) this.#box.scrollTop += shift;
  }
}

function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Binary search: the index of the first element for which `is` is true, or the length if there is none. */
export function firstIndex(sorted, is) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(sorted[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}
