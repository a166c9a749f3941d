// The files of a message: draws them like templates/rows/_files.html, and opens pictures and texts in the page.

import { descriptionsOf, uploadsOf } from "chatty/chat/uploads.js";
import { kindOf, labelOf, shownSize, sizeText, titleOf } from "chatty/lib/files.js";
import {
  element as makeElement,
  hasModifier,
  part,
  setText,
  templateContent,
  view,
} from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";
import "chatty/views/files_templates.js";

/**
 * The message's view sets `element.files`, to the files of a message or to the descriptions of what is being uploaded,
 * before this is called or later.
 * @param {any} element
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(element, page) {
  const shown = new Files(element, page);
  const { files } = element;
  Object.defineProperty(element, "files", { configurable: true, set: (changed) => shown.show(changed) });
  if (files) shown.show(files);
  element.addEventListener("click", (event) => onClick(event, page));
  return shown;
}

class Files {
  #element;
  #page;
  #uploads = null;
  #pending = []; // descriptions
  #addresses = [];
  #stop = null;

  constructor(element, page) {
    this.#element = element;
    this.#page = page;
  }

  disconnect() {
    this.#stop?.();
    for (const address of this.#addresses) URL.revokeObjectURL(address);
  }

  show(files) {
    if (typeof files === "string") this.#showPending(descriptionsOf(files));
    else drawFiles(this.#element, files);
  }

  // Internal: what is being uploaded

  async #showPending(descriptions) {
    this.#pending = descriptions;
    drawFiles(this.#element, descriptions.map(fileOf));
    this.#uploads = uploadsOf(this.#page.rest, t);
    const progress = makeElement("progress", "files__progress");
    progress.ariaLabel = t("attach.uploading", { name: descriptions.map(({ name }) => name).join(", ") });
    this.#element.append(progress);
    const update = () => this.#showProgress(progress);
    this.#stop ??= this.#uploads.on("change", update);
    update();
    for (const [index, { key }] of descriptions.entries()) {
      const player = this.#element.children[index]?.querySelector("img, audio");
      const file = player && (await this.#uploads.fileOf(key));
      if (!file || !player.isConnected) continue;
      const address = URL.createObjectURL(file);
      this.#addresses.push(address);
      player.src = address;
    }
  }

  #showProgress(progress) {
    const uploads = this.#pending.map(({ key }) => this.#uploads.get(key));
    const size = this.#pending.reduce((sum, file) => sum + file.size, 0);
    progress.value = uploads.reduce((sum, upload) => sum + (upload?.sent ?? 0), 0) / size;
    progress.hidden = progress.value >= 1 || uploads.some((upload) => upload?.state === "failed");
  }
}

/**
 * Elements that are still right stay, so that a player goes on.
 * @param {Element} element
 * @param {any[]} files as on the wire
 */
export function drawFiles(element, files) {
  const isGallery = files.length > 1 && files.every(({ kind }) => kind === "image");
  element.classList.toggle("files--gallery", isGallery);
  const made = files.map(draw);
  for (const [index, each] of made.entries()) {
    const there = element.children[index];
    if (!there) element.append(each);
    else if (!there.isEqualNode(each)) there.replaceWith(each);
  }
  while (element.children.length > made.length) element.lastElementChild.remove();
}

const DRAWERS = { image: drawPicture, video: drawVideo, audio: drawAudio };

function draw(file) {
  const made = (DRAWERS[file.kind] ?? drawCard)(file);
  made.dataset.file = file.id;
  return made;
}

function copyOf(name) {
  return document.importNode(part(templateContent("files-template"), name), true);
}

function drawPicture({ url, thumbnail, alt, name, width, height, animated }) {
  const made = copyOf("files__picture");
  const source = made.querySelector("source");
  const image = part(made, "files__image");
  setOrRemove(made, "href", url);
  if (animated) source.srcset = url;
  else source.remove();
  setBox(image, width, height);
  setOrRemove(image, "src", thumbnail ?? url);
  image.alt = alt || name;
  return made;
}

function drawVideo({ url, alt, name, width, height }) {
  const made = copyOf("files__video");
  setOrRemove(made, "src", url);
  setBox(made, width, height);
  made.ariaLabel = alt || name;
  return made;
}

function drawAudio({ url, alt, name }) {
  const made = copyOf("files__audio");
  const player = made.querySelector("audio");
  setOrRemove(player, "src", url);
  player.ariaLabel = alt || name;
  setText(part(made, "files__name"), titleOf(name));
  return made;
}

function drawCard({ url, name, kind, size }) {
  const made = copyOf("files__card");
  setOrRemove(made, "href", url);
  made.dataset.kind = kind;
  setText(part(made, "files__label"), labelOf(name));
  setText(part(made, "files__name"), name);
  setText(part(made, "files__size"), sizeText(size));
  return made;
}

/** A file that has no address yet must not request the page. */
function setOrRemove(element, name, value) {
  if (value) element.setAttribute(name, value);
  else element.removeAttribute(name);
}

function setBox(element, width, height) {
  const box = shownSize(width ?? 0, height ?? 0);
  setOrRemove(element, "width", box[0]);
  setOrRemove(element, "height", box[0] && box[1]);
}

/** A file as on the wire, of one that is being uploaded. */
function fileOf({ name, size, type, alt, width, height }) {
  const kind = kindOf(type);
  return { id: "", name, size, kind, alt, width, height, url: "", thumbnail: null, animated: false };
}

function onClick(event, page) {
  const link = event.target.closest(".files__picture[href], .files__card[href][data-kind=text]");
  if (!link || hasModifier(event)) return;
  event.preventDefault();
  view("lightbox", { isAwaited: true }).then(
    ({ openLightbox }) => openLightbox(link, page),
    () => location.assign(link.href),
  );
}
