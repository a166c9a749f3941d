// Starts the views of the page. An element <section data-view="pins"> is enhanced by views/pins.js, which exports
// connect(element, page); what that returns can have a disconnect(). Elements can be inserted at any time, and
// their views are disconnected when they are removed. Several views of an element are separated by spaces.
//
// With data-view-when="idle", views are loaded when the page is idle; with names of events, when the first of these
// reaches the document; otherwise at once. What has been loaded before starts immediately, so that nothing flashes when
// a part of the page is replaced.

import { attempt } from "chatty/views/attempt.js";
import { view } from "chatty/views/dom.js";

// Code and reactions with custom emoji don't name their view, which is that of code: it starts the other.
const VIEWS = '[data-view],.code,[value^=":"]';
const IDLE = 200; // ms after which the browser no longer waits until it is idle

export class Loader {
  #page;
  #views = new Map(); // name -> connect() of a view that has been loaded
  #elements = new Map(); // element -> {parts, ending}
  #observer = new MutationObserver((records) => this.#apply(records));

  /** @param {import("chatty/views/page.js").Page} page */
  constructor(page) {
    this.#page = page;
  }

  connect() {
    this.#observer.observe(document.body, { childList: true, subtree: true });
    this.#startWithin(document.body);
  }

  /** Take changes into account now rather than after the current task. */
  update() {
    this.#apply(this.#observer.takeRecords());
  }

  #apply(records) {
    for (const [element, { parts, ending }] of this.#elements) {
      if (element.isConnected) continue;
      this.#elements.delete(element);
      ending.abort();
      for (const part of parts) attempt(() => part?.disconnect?.());
    }
    for (const node of records.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (node.isConnected && node.nodeType === Node.ELEMENT_NODE) this.#startWithin(node);
    }
  }

  #startWithin(root) {
    if (root.matches(VIEWS)) this.#start(root);
    for (const element of root.querySelectorAll(VIEWS)) this.#start(element);
  }

  #start(element) {
    if (this.#elements.has(element)) return; // it was moved
    const started = { parts: [], ending: new AbortController() };
    this.#elements.set(element, started);
    const names = (element.dataset.view ?? "code").split(" ");
    const missing = names.filter((name) => !this.#connect(name, element, started));
    if (!missing.length) return;
    const { signal } = started.ending;
    // Perhaps called several times.
    const load = () => {
      for (const name of missing.splice(0)) {
        const start = async (module) => {
          // In a task of its own, so that a slow device can respond to the user between the views.
          await globalThis.scheduler?.yield?.();
          // A bundle has those of its views by name. See chatty/assets/bundle.py.
          this.#views.set(name, module.views?.[name] ?? module.connect);
          if (!signal.aborted) this.#connect(name, element, started);
        };
        view(name).then(start, () => this.#page.provide(name, null)); // the window has got "viewerror"
      }
    };
    const { viewWhen } = element.dataset;
    if (!viewWhen) load();
    else if (viewWhen !== "idle") {
      for (const type of viewWhen.split(" ")) document.addEventListener(type, load, { once: true, signal });
    } else if (globalThis.requestIdleCallback) requestIdleCallback(load, { timeout: IDLE });
    else setTimeout(load);
  }

  /** Returns false if the view has not been loaded. */
  #connect(name, element, { parts }) {
    const connect = this.#views.get(name);
    if (!connect) return false;
    attempt(() => {
      const part = connect(element, this.#page);
      parts.push(part);
      this.#page.provide(name, part);
    });
    return true;
  }
}
