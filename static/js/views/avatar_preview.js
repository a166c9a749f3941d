// Previews a picture chosen in the profile. A file that is too large is reported here, because the server's
// request limit would reject the whole form.

import { element } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

export function connect(field) {
  const avatar = field.closest(".portrait").querySelector(".avatar");
  const saved = avatar.querySelector("img");
  const max = Number(field.dataset.max); // bytes
  let address = null;

  field.addEventListener("change", () => {
    const [file] = field.files;
    const isTooBig = file?.size > max;
    field.setCustomValidity(isTooBig ? t("picture.too_big", { max: max / 1024 / 1024 }) : "");
    field.reportValidity();
    if (address) URL.revokeObjectURL(address);
    address = file && !isTooBig ? URL.createObjectURL(file) : null;
    avatar.querySelector("img")?.remove();
    const shown = address ? image(address) : saved;
    if (shown) avatar.append(shown);
  });
}

function image(address) {
  const made = element("img", "avatar__picture");
  made.alt = "";
  made.src = address;
  made.addEventListener("error", () => made.remove()); // not an image: the server reports it
  return made;
}
