// What is removed from this browser when somebody signs out.

import { t, tn } from "chatty/views/i18n.js";

const TIDYING = 1_000; // ms the browser gets to take notifications away

/** Asks first if that costs text; resolves with false for no. */
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
