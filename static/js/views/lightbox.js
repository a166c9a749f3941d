// Shows a picture in the whole window, and leads to the next and previous ones of the conversation. Texts are shown in
// it, too.

import { sizeText } from "chatty/lib/files.js";
import {
  element as makeElement,
  fill,
  fromTemplate,
  part,
  showDialog,
  slot,
  templateContent,
} from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";
import { loadStyles } from "chatty/views/page_head.js";
import { Zoom } from "chatty/views/zoom.js";

const TEXT_MAX = 65_536; // bytes that are shown of a text
const PICTURES = ".files__picture[href]";

/**
 * @param {HTMLAnchorElement} link of a picture or a text, in a message
 * @param {import("chatty/views/page.js").Page} page
 */
export async function openLightbox(link, page) {
  await loadStyles(templateContent("lightbox-styles"));
  new Lightbox(link, page).open();
}

class Lightbox {
  #link;
  #page;
  #root;
  #dialog;
  #stage;
  #zoom = null;
  #isLoading = false;

  constructor(link, page) {
    this.#link = link;
    this.#page = page;
    this.#root = link.closest("#messages") ?? link.closest("[data-view=files]");
  }

  open() {
    this.#dialog = fromTemplate("lightbox-template");
    this.#stage = slot(this.#dialog, "stage");
    this.#dialog.addEventListener("click", (event) => this.#onClick(event));
    this.#dialog.addEventListener("keydown", (event) => this.#onKeydown(event));
    showDialog(this.#dialog);
    this.#dialog.addEventListener("close", () => this.#onClose());
    if (this.#link.matches(PICTURES)) this.#showPicture();
    else this.#showText();
  }

  // Internal

  #onClose() {
    // After others were shown, the focus goes to the one that was the last.
    this.#link.scrollIntoView({ block: "nearest" });
    this.#link.focus({ preventScroll: true });
  }

  #showPicture() {
    const image = part(this.#link, "files__image");
    const { href } = this.#link;
    const { alt } = image;
    const shown = makeElement("img", "lightbox__image");
    shown.alt = alt;
    const isAnimated = this.#link.querySelector("source") !== null;
    const isMoving = isAnimated && matchMedia("(prefers-reduced-motion: no-preference)").matches;
    shown.src = isMoving ? href : largeOf(image);
    this.#stage.replaceChildren(shown);
    // The original has the details, once they can be seen. It would move if it is animated.
    const onZoom = (scale) => {
      if (scale > 1 && !isAnimated && shown.src !== href) shown.src = href;
    };
    this.#zoom = new Zoom({ stage: this.#stage, image: shown, onZoom, onSwipe: (step) => this.#go(step) });
    this.#describe(nameOf(this.#link), alt);
    this.#mark();
    for (const step of [-1, 1]) preload(this.#neighbour(step));
  }

  async #showText() {
    for (const each of this.#dialog.querySelectorAll("[data-of=picture]")) each.remove();
    const name = part(this.#link, "files__name").textContent;
    this.#describe(name, part(this.#link, "files__size").textContent);
    const text = makeElement("pre", "lightbox__text");
    text.dir = "auto";
    text.tabIndex = 0; // it scrolls, so the keyboard must reach it
    this.#stage.replaceChildren(text);
    text.focus();
    try {
      const headers = { Range: `bytes=0-${TEXT_MAX - 1}` };
      const response = await fetch(this.#link.href, { headers });
      if (!response.ok) throw new Error(String(response.status));
      const bytes = (await response.arrayBuffer()).slice(0, TEXT_MAX);
      // As a stream: the last character can be cut.
      text.textContent = new TextDecoder().decode(bytes, { stream: true });
      if (bytes.byteLength === TEXT_MAX)
        this.#describe(name, t("lightbox.beginning", { size: sizeText(TEXT_MAX) }));
    } catch {
      text.textContent = t("error.unreachable");
    }
  }

  #describe(name, about) {
    fill(this.#dialog, "name", name);
    fill(this.#dialog, "about", about === name ? "" : about);
    const download = slot(this.#dialog, "download");
    download.href = this.#link.href;
    download.download = name;
  }

  /** Whether there is a next and a previous one. */
  #mark() {
    const { store } = this.#chat ?? {};
    for (const [action, step, more] of [
      ["previous", -1, store?.hasOlder],
      ["next", 1, store?.hasNewer],
    ]) {
      const button = this.#dialog.querySelector(`[data-action=${action}]`);
      button.disabled = !this.#neighbour(step) && !more;
    }
  }

  /** What loads more messages, unless the pictures are in another list. */
  get #chat() {
    return this.#root.id === "messages" ? this.#page.conversation?.chat : null;
  }

  #neighbour(step) {
    const links = [...this.#root.querySelectorAll(PICTURES)];
    return links[links.indexOf(this.#link) + step];
  }

  /** Show the next or previous picture of the conversation. Further messages are loaded if necessary. */
  async #go(step) {
    if (this.#isLoading || !this.#zoom) return;
    this.#isLoading = true;
    const chat = this.#chat;
    const hasMore = () => (step < 0 ? chat?.store.hasOlder : chat?.store.hasNewer);
    try {
      while (!this.#neighbour(step) && hasMore()) await (step < 0 ? chat.loadOlder() : chat.loadNewer());
    } catch {
      // No connection: what is loaded can still be seen.
    }
    this.#isLoading = false;
    const next = this.#neighbour(step);
    if (next && this.#dialog.open) {
      this.#link = next;
      this.#showPicture();
    } else this.#mark();
  }

  #onClick(event) {
    const action = event.target.closest("[data-action]")?.dataset.action;
    if (action === "close" || event.target === this.#stage) this.#dialog.close();
    if (action === "previous" || action === "next") this.#go(action === "next" ? 1 : -1);
    if (action === "zoom-in" || action === "zoom-out") this.#zoom?.by(action === "zoom-in" ? 1.5 : 1 / 1.5);
  }

  #onKeydown(event) {
    if (!this.#zoom || event.ctrlKey || event.metaKey || event.altKey) return;
    const isForward = getComputedStyle(this.#dialog).direction === "ltr" ? "ArrowRight" : "ArrowLeft";
    if (event.key.startsWith("Arrow") && this.#zoom.scale > 1) this.#zoom.pan(event.key);
    else if (["ArrowLeft", "ArrowRight"].includes(event.key)) this.#go(event.key === isForward ? 1 : -1);
    else if (event.key === "+" || event.key === "=") this.#zoom.by(1.5);
    else if (event.key === "-") this.#zoom.by(1 / 1.5);
    else if (event.key === "0") this.#zoom.reset();
    else return;
    event.preventDefault();
  }
}

/** The address of a file ends in its name. */
function nameOf(link) {
  return decodeURIComponent(new URL(link.href).pathname.split("/").at(-1));
}

function preload(link) {
  const image = link && part(link, "files__image");
  if (image) new Image().src = largeOf(image);
}

/** The larger of the two thumbnails. A small picture has none and is shown itself. */
function largeOf({ src }) {
  return src.replace(/small\.webp$/, "large.webp");
}
