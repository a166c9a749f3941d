// Shows the files of the message that is being written, above its text: how far each is, and what can be done with it.

import { kindOf, labelOf, sizeText } from "chatty/lib/files.js";
import { fill, fromTemplate, part, slot } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";
import { announce } from "chatty/views/live_region.js";

export class Tray {
  #place;
  #uploads;
  #onChange;
  #onRemove;
  #list;
  #details; // of the chosen file
  #chosen = ""; // its key
  #items = new Map(); // key -> its element
  #addresses = new Map(); // key -> the URL of its thumbnail
  #dragged = "";
  shown = []; // descriptions, as they were given

  /** `onChange(files)`: the order or a description was changed. `onRemove(key)`. */
  constructor({ place, uploads, onChange, onRemove }) {
    this.#place = place;
    this.#uploads = uploads;
    this.#onChange = onChange;
    this.#onRemove = onRemove;
    place.replaceChildren(...fromTemplate("tray-template").childNodes);
    this.#list = part(place, "tray__list");
    this.#details = part(place, "tray__details");
    const on = (target, type, work) => target.addEventListener(type, work);
    on(this.#list, "click", (event) => this.#onClick(event));
    on(this.#list, "keydown", (event) => this.#onKeydown(event));
    on(this.#list, "dragstart", (event) => this.#onDragstart(event));
    on(this.#list, "dragover", (event) => this.#onDragover(event));
    on(this.#list, "dragend", () => this.#onDragend());
    on(this.#details, "input", () => this.#describe());
    on(this.#details, "keydown", (event) => this.#onDetailsKeydown(event));
    on(this.#details, "click", (event) => {
      const step = Number(event.target.closest("[data-step]")?.dataset.step);
      if (step) this.#move(this.#chosen, step);
    });
  }

  disconnect() {
    this.show([]);
    this.#place.remove();
  }

  show(files) {
    this.shown = files;
    this.#place.hidden = !files.length;
    const keys = new Set(files.map(({ key }) => key));
    for (const [key, item] of this.#items) {
      if (keys.has(key)) continue;
      item.remove();
      this.#items.delete(key);
      if (this.#addresses.has(key)) URL.revokeObjectURL(this.#addresses.get(key));
      this.#addresses.delete(key);
    }
    files.forEach((file, index) => {
      const item = this.#items.get(file.key) ?? this.#draw(file);
      // Don't move those that stay, so that the focus does, too.
      if (this.#list.children[index] !== item)
        this.#list.insertBefore(item, this.#list.children[index] ?? null);
      item.classList.toggle("tray__item--described", Boolean(file.alt));
      this.update(file.key);
    });
    if (!keys.has(this.#chosen)) this.#choose("");
    else this.#showDetails();
  }

  /** Show how far an upload is. */
  update(key) {
    const item = this.#items.get(key);
    const upload = this.#uploads.get(key);
    if (!item || !upload) return;
    const { state, sent, size, error } = upload;
    const isBusy = !["done", "failed"].includes(state);
    const progress = part(item, "tray__progress");
    progress.hidden = !isBusy;
    progress.value = size ? sent / size : 0;
    item.classList.toggle("tray__item--failed", state === "failed");
    part(item, "tray__retry").hidden = state !== "failed";
    const isStuck = state === "waiting";
    fill(item, "about", state === "failed" ? error.detail : isStuck ? t("attach.waiting") : sizeText(size));
    if (state === "failed" && item.dataset.state !== "failed") announce(error.detail);
    item.dataset.state = state;
  }

  // Internal: drawing

  #draw({ key, name, type }) {
    const item = fromTemplate("tray-item-template");
    item.dataset.key = key;
    this.#items.set(key, item);
    fill(item, "name", name);
    part(item, "tray__remove").ariaLabel = t("attach.remove", { name });
    part(item, "tray__retry").ariaLabel = t("attach.retry", { name });
    part(item, "tray__progress").ariaLabel = t("attach.uploading", { name });
    const tile = part(item, "files__label");
    tile.textContent = labelOf(name);
    tile.parentElement.dataset.kind = kindOf(type);
    if (["image", "audio"].includes(kindOf(type))) this.#preview(item, key, kindOf(type));
    return item;
  }

  /** A picture, or what was recorded, from the file. */
  async #preview(item, key, kind) {
    const file = await this.#uploads.fileOf(key);
    if (!file || !item.isConnected) return;
    const address = URL.createObjectURL(file);
    this.#addresses.set(key, address);
    if (kind === "audio") {
      const player = fromTemplate("tray-player-template");
      player.src = address;
      part(item, "tray__open").after(player);
      return;
    }
    const image = new Image();
    image.alt = "";
    image.className = "tray__picture";
    image.draggable = false;
    image.addEventListener("load", () => part(item, "files__label")?.replaceWith(image)); // else it can't be shown
    image.src = address;
  }

  #showDetails() {
    const index = this.shown.findIndex(({ key }) => key === this.#chosen);
    const file = this.shown[index];
    this.#details.hidden = !file;
    for (const [key, item] of this.#items)
      part(item, "tray__open").setAttribute("aria-expanded", String(key === this.#chosen));
    if (!file) return;
    fill(this.#details, "name", file.name);
    const field = this.#details.querySelector("input");
    if (document.activeElement !== field) field.value = file.alt ?? "";
    const [earlier, later] = this.#details.querySelectorAll("[data-step]");
    earlier.disabled = index === 0;
    later.disabled = index === this.shown.length - 1;
  }

  // Internal: user input

  #onClick(event) {
    const key = event.target.closest(".tray__item")?.dataset.key;
    if (event.target.closest(".tray__remove")) this.#removeItem(key);
    else if (event.target.closest(".tray__retry")) this.#uploads.retry(key);
    else if (event.target.closest(".tray__open"))
      this.#choose(key === this.#chosen ? "" : key, { focus: true });
  }

  #onKeydown(event) {
    const key = event.target.closest(".tray__item")?.dataset.key;
    if (["Delete", "Backspace"].includes(event.key) && event.target.matches("button")) this.#removeItem(key);
    else if (event.altKey && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
      const isForward = (event.key === "ArrowRight") === (getComputedStyle(this.#list).direction === "ltr");
      this.#move(key, isForward ? 1 : -1);
    } else return;
    event.preventDefault();
  }

  #onDetailsKeydown(event) {
    if (event.key !== "Escape" && (event.key !== "Enter" || !event.target.matches("input"))) return;
    event.preventDefault(); // Enter would send the message
    event.stopPropagation();
    const opener = part(this.#items.get(this.#chosen), "tray__open");
    this.#choose("");
    opener?.focus();
  }

  #choose(key, { focus = false } = {}) {
    this.#chosen = key;
    this.#showDetails();
    if (focus && key) this.#details.querySelector("input").focus();
  }

  #describe() {
    const { value: alt } = slot(this.#details, "alt");
    this.#onChange(this.shown.map((file) => (file.key === this.#chosen ? { ...file, alt } : file)));
  }

  /** The focus goes to the next one, or back to the text box. */
  #removeItem(key) {
    const item = this.#items.get(key);
    const next = item.nextElementSibling ?? item.previousElementSibling;
    announce(t("attach.removed", { name: this.shown.find((file) => file.key === key).name }));
    this.#onRemove(key);
    const target = next ? part(next, "tray__remove") : this.#place.closest("form").elements.body;
    target.focus();
  }

  #move(key, step) {
    const from = this.shown.findIndex((file) => file.key === key);
    const to = from + step;
    if (from < 0 || to < 0 || to >= this.shown.length) return;
    const focused = document.activeElement;
    const files = [...this.shown];
    files.splice(to, 0, ...files.splice(from, 1));
    this.#onChange(files);
    const button = /** @type {HTMLButtonElement | null} */ (focused);
    if (button?.disabled) this.#details.querySelector("[data-step]:enabled")?.focus();
    else button?.focus(); // an element that is moved in the page loses it
    announce(t("attach.moved", { n: to + 1, all: files.length }));
  }

  #onDragstart(event) {
    const item = event.target.closest?.(".tray__item");
    if (!item) return;
    this.#dragged = item.dataset.key;
    item.classList.add("tray__item--dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
  }

  #onDragover(event) {
    const dragged = this.#items.get(this.#dragged);
    const over = event.target.closest?.(".tray__item");
    if (!dragged) return;
    event.preventDefault();
    if (!over || over === dragged) return;
    const isBefore = dragged.compareDocumentPosition(over) & Node.DOCUMENT_POSITION_PRECEDING;
    if (isBefore) over.before(dragged);
    else over.after(dragged);
  }

  #onDragend() {
    const dragged = this.#items.get(this.#dragged);
    this.#dragged = "";
    dragged?.classList.remove("tray__item--dragged");
    const order = [...this.#list.children].map((item) => /** @type {HTMLElement} */ (item).dataset.key);
    const place = (file) => order.indexOf(file.key);
    this.#onChange([...this.shown].sort((a, b) => place(a) - place(b)));
  }
}
