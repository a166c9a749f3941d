// Zooms into a picture and moves it, with the mouse, the fingers or the keyboard. A swipe leads to the next one.

const MOST = 6;
const STEP = 80; // px for an arrow key
const SWIPE = 60; // px

const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Zoom {
  #stage;
  #image;
  #onZoom;
  #onSwipe;
  #scale = 1;
  #x = 0;
  #y = 0;
  #pointers = new Map(); // id -> {x, y}
  #start = null; // of a gesture: {x, y, at}
  #spread = 0; // between two fingers

  /** `onZoom(scale)`. `onSwipe(step)`: 1 for the next one, -1 for the previous. */
  constructor({ stage, image, onZoom, onSwipe }) {
    this.#stage = stage;
    this.#image = image;
    this.#onZoom = onZoom;
    this.#onSwipe = onSwipe;
    const on = (type, work) => image.addEventListener(type, work);
    on("dblclick", () => (this.#scale > 1 ? this.reset() : this.by(2)));
    on("wheel", (event) => {
      event.preventDefault();
      this.by(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    });
    on("pointerdown", (event) => this.#onDown(event));
    on("pointermove", (event) => this.#onMove(event));
    on("pointerup", (event) => this.#onUp(event));
    on("pointercancel", (event) => this.#pointers.delete(event.pointerId));
    image.draggable = false;
  }

  get scale() {
    return this.#scale;
  }

  by(factor) {
    this.#scale = Math.max(1, Math.min(MOST, this.#scale * factor));
    this.#show();
    this.#onZoom(this.#scale);
  }

  reset() {
    this.by(0);
  }

  /** `key`: an arrow key. */
  pan(key) {
    const [x, y] = MOVES[key];
    this.#x += x * STEP;
    this.#y += y * STEP;
    this.#show();
  }

  // Internal

  /** Some of the picture always stays in view. */
  #show() {
    const far = (size) => (size * (this.#scale - 1)) / 2;
    const limit = (value, most) => Math.max(-most, Math.min(most, value));
    this.#x = limit(this.#x, far(this.#stage.clientWidth));
    this.#y = limit(this.#y, far(this.#stage.clientHeight));
    this.#image.style.transform =
      this.#scale > 1 ? `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})` : "";
  }

  #onDown(event) {
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#image.setPointerCapture(event.pointerId);
    this.#start = this.#pointers.size === 1 ? { x: event.clientX, y: event.clientY } : null;
    this.#spread = this.#distance();
  }

  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#pointers.size > 1) {
      const spread = this.#distance();
      if (this.#spread) this.by(spread / this.#spread);
      this.#spread = spread;
    } else if (this.#scale > 1) {
      this.#x += event.clientX - before.x;
      this.#y += event.clientY - before.y;
      this.#show();
    }
  }

  #onUp(event) {
    this.#pointers.delete(event.pointerId);
    if (this.#scale > 1 || !this.#start || event.pointerType === "mouse") return;
    const far = event.clientX - this.#start.x;
    if (Math.abs(far) < SWIPE || Math.abs(far) < Math.abs(event.clientY - this.#start.y)) return;
    const isForward = far < 0 === (getComputedStyle(this.#stage).direction === "ltr");
    this.#onSwipe(isForward ? 1 : -1);
  }

  #distance() {
    const [a, b] = [...this.#pointers.values()];
    return b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
  }
}
