// Signing out leaves nothing of mine behind in this browser, and asks first if that costs text.

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
    // What cannot be removed here stays for its writer, and the sign-in page says so.
    const isSure = await view("clean_up")
      .then(({ cleanUp }) => cleanUp(this.#unsent))
      .catch(() => true);
    if (isSure) this.#form.submit();
  }
}
