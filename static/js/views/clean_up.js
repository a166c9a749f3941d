// Removes private data from this browser before signing out.

import { clearFiles } from "chatty/chat/file_storage.js";
import { clear } from "chatty/chat/offline_storage.js";
import { Unsent } from "chatty/chat/unsent.js";
import { t, tn } from "chatty/views/i18n.js";
import { startSending } from "chatty/views/start_sending.js";

const TIDYING = 1_000; // ms to wait for the browser

/**
 * Asks first if there is unsent text. Resolves with false if the user cancels.
 * @param {import("chatty/views/page.js").Page} page
 */
export async function cleanUp(page) {
  const sending = startSending(page);
  const { formerScopes } = sending.drafts;
  const unsent = new Unsent(sending);
  if (!(await isSure(await unsent.count()))) return false;
  await unsent.clear();
  for (const scope of [page.scope, ...formerScopes]) await clearFiles(scope);
  const forgotten = clear().catch(() => {}); // what is kept for reading offline
  navigator.clearAppBadge?.().catch(() => {});
  const late = new Promise((resolve) => setTimeout(resolve, TIDYING));
  await Promise.race([Promise.all([closeNotifications(), forgotten]), late]);
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
