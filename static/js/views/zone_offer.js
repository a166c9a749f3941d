// Offers the device's time zone next to the profile's setting.

import { button } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

/** @param {HTMLSelectElement} field */
export function offer(field, zone) {
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
