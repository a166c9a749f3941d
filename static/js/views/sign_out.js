// Signing out leaves nothing of mine behind in this browser, and asks first if that costs text.

import { say, sayCount } from "chatty/views/words.js";

const TIDYING = 1_000; // ms the browser gets to take notifications away

export class SignOut {
  #form = document.querySelector('form[action$="/sign-out/"]');
  #unsent;
  #ending = new AbortController();

  constructor({ unsent }) {
    this.#unsent = unsent;
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
      await this.#unsent.clear();
      navigator.clearAppBadge?.().catch(() => {});
      await Promise.race([closeBanners(), new Promise((resolve) => setTimeout(resolve, TIDYING))]);
    } finally {
      this.#form.submit();
    }
  }

  async #isSure() {
    const size = await this.#unsent.count();
    if (!size) return true;
    const { ask } = await import("chatty/views/dialog.js");
    return ask({
      question: sayCount("sign_out.question", size),
      yes: say("sign_out.yes"),
      no: say("cancel"),
    });
  }
}

async function closeBanners() {
  await (await import("chatty/views/banners.js")).closeBanners();
}
