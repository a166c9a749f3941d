// The card that greets someone who joined lately: marks the steps that they have done, and hides it.

import { requestOf } from "chatty/views/form_request.js";
import { stateFor } from "chatty/views/notification_offer.js";

const OWN = ":scope > .message[data-own][data-seq]";

/**
 * `card`: templates/conversations/_newcomer.html
 * @param {HTMLElement} card
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(card, page) {
  const form = card.querySelector("form");
  const list = card.closest("#messages");
  const step = (name) => card.querySelector(`[data-step="${name}"]`);
  const ending = new AbortController();
  const { signal } = ending;
  let isHidden = false;

  /** For the next page. What is shown stays where it is. */
  const hide = async () => {
    isHidden = true;
    const { url, body } = requestOf(form, null, location.href);
    const { type, status } = await fetch(url, { method: "POST", body, redirect: "manual" });
    if (type !== "opaqueredirect") throw new Error(`${status}`);
  };
  const update = () => {
    const state = stateFor(page.me.id);
    if (list.querySelector(OWN)) step("hello").dataset.done = "";
    step("notifications").toggleAttribute("data-done", state === "on");
    step("notifications").hidden = state === "insecure" || state === "unsupported";
    const left = card.querySelector(".step:not([hidden], [data-done])");
    if (!left && !isHidden) hide().catch(() => {}); // tried again on the next page
  };
  step("hello").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("composer-body").focus();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await hide();
      card.remove();
      document.getElementById("composer-body").focus({ preventScroll: true });
    } catch {
      form.submit(); // shows what is wrong
    }
  });
  const observer = new MutationObserver(update);
  observer.observe(list, { childList: true });
  addEventListener("focus", update, { signal }); // notifications may have been turned on elsewhere
  update();
  return {
    disconnect() {
      ending.abort();
      observer.disconnect();
    },
  };
}
