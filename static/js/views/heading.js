// The name and topic of the open conversation, at the top, in the title of the page, and in the composer.

import { byId, fill, setText } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

export class Heading {
  #root;
  #conversation; // id
  #conversationList;
  #badge;
  #stop;

  /** `badge` adds the unread count to the title. */
  constructor({ root, conversation, conversationList, badge }) {
    this.#root = root;
    this.#conversation = conversation;
    this.#conversationList = conversationList;
    this.#badge = badge;
  }

  connect() {
    this.#stop = this.#conversationList.on("change", ({ id }) => id === this.#conversation && this.#show());
    this.#show(); // it may have changed while the page was loading
  }

  disconnect() {
    this.#stop();
  }

  #show() {
    const { name, topic } = this.#conversationList.get(this.#conversation) ?? {};
    if (!name) return;
    setText(byId(this.#root, "conversation-name"), name);
    const box = byId(this.#root, "composer-body");
    box.placeholder = t("composer.to", { name });
    setText(box.labels[0], box.placeholder);
    this.#badge?.rename(name);
    fill(this.#root, "topic", topic); // groups only
  }
}
