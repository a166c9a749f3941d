// Deletes a message, if the reader is sure.

import { ask } from "chatty/views/dialog.js";
import { idOf } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

export async function remove(row, chat) {
  const id = idOf(row);
  const sure = await ask({
    question: t("delete.question"),
    about: chat.store.get(id)?.excerpt ?? "",
    yes: t("delete.yes"),
    no: t("cancel"),
  });
  if (sure) await chat.remove(id);
  row.focus({ preventScroll: true });
}
