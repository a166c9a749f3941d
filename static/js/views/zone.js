// Fills the browser's time zone into a field, or offers it next to the profile's setting.

import { button } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

export function connect(field) {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  if (field.dataset.timeZone === "fill") field.value ||= zone;
  else offer(field, zone);
}

function offer(field, zone) {
  const isListed = [...field.options].some((option) => option.value === zone);
  if (!isListed || field.value === zone) return;
  const text = t("zone.use", { zone: zone.replaceAll("_", " ") });
  const press = button("button button--quiet button--small", text, () => {
    field.value = zone;
    press.remove();
    field.focus();
  });
  field.after(press);
}
