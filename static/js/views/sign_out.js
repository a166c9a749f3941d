// Signing out removes private data from this browser, and asks first if there is unsent text.

import { view } from "chatty/views/dom.js";

export class SignOut {
  #form = document.querySelector('form[action$="/sign-out/"]');
  #unsent;

  constructor({ unsent }) {
    this.#unsent = unsent;
  }

  connect() {
    this.#form?.addEventListener("submit", (event) => this.#onSubmit(event));
  }

  async #onSubmit(event) {
    event.preventDefault();
    // If this fails, the unsent text stays, and the sign-in page says so.
    const isSure = await view("clean_up")
      .then(({ cleanUp }) => cleanUp(this.#unsent))
      .catch(() => true);
    if (isSure) this.#form.submit();
  }
}
