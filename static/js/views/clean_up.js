// Removes private data from this browser before signing out.

import { t, tn } from "chatty/views/i18n.js";

const TIDYING = 1_000; // ms to wait for the browser to close notifications

/** Asks first if there is unsent text. Resolves with false if the user cancels. */
export async function cleanUp(unsent) {
  if (!(await isSure(await unsent.count()))) return false;
  await unsent.clear();
  navigator.clearAppBadge?.().catch(() => {});
  await Promise.race([closeNotifications(), new Promise((resolve) => setTimeout(resolve, TIDYING))]);
  return true;
}

async function isSure(size) {
  if (!size) return true;
  const { ask } = await import("chatty/views/dialog.js");
  return ask({
    question: tn("sign_out.question", size),
    yes: t("sign_out.yes"),
    no: t("cancel"),
  });
}

async function closeNotifications() {
  await (await import("chatty/views/system_notifications.js")).closeNotifications();
}
