// Fills the browser's time zone into forms, or offers it next to the profile's setting.

import { button } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

export function offerZone() {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  for (const field of document.querySelectorAll("[data-time-zone=fill]")) field.value ||= zone;
  for (const field of document.querySelectorAll("[data-time-zone=offer]")) offer(field, zone);
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
