// Signing out leaves nothing of mine behind in this browser, and says so first if that costs words.

import { say, sayCount } from "chatty/views/words.js";

export class SignOut {
  #form = document.querySelector('form[action$="/sign-out/"]');
  #outbox;
  #drafts;
  #ending = new AbortController();

  constructor({ outbox, drafts }) {
    this.#outbox = outbox;
    this.#drafts = drafts;
  }

  connect() {
    this.#form?.addEventListener("submit", (event) => this.#submitted(event), {
      signal: this.#ending.signal,
    });
  }

  disconnect() {
    this.#ending.abort();
  }

  async #submitted(event) {
    event.preventDefault();
    if (!(await this.#isSure())) return;
    try {
      this.#drafts.clear();
      await this.#outbox.clear();
      navigator.clearAppBadge?.().catch(() => {});
      await (await import("chatty/views/banners.js")).closeBanners();
    } finally {
      this.#form.submit();
    }
  }

  async #isSure() {
    const { size } = this.#outbox;
    if (!size) return true;
    const { ask } = await import("chatty/views/dialog.js");
    return ask({
      question: sayCount("sign_out.question", size),
      yes: say("sign_out.yes"),
      no: say("cancel"),
    });
  }
}
