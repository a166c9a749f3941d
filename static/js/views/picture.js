// A picture chosen in the profile: shown before it is saved. One that is too big is told at once, since
// a door in front of the form would refuse it, and the form with it.

import { element } from "chatty/views/dom.js";
import { say } from "chatty/views/words.js";

export function preview(field) {
  const face = document.querySelector(".portrait > .avatar");
  const saved = face.querySelector("img");
  const max = Number(field.dataset.max); // bytes
  let address = null;

  field.addEventListener("change", () => {
    const [file] = field.files;
    const isTooBig = file?.size > max;
    field.setCustomValidity(isTooBig ? say("picture.too_big", { max: max / 1024 / 1024 }) : "");
    field.reportValidity();
    if (address) URL.revokeObjectURL(address);
    address = file && !isTooBig ? URL.createObjectURL(file) : null;
    face.querySelector("img")?.remove();
    const shown = address ? image(address) : saved;
    if (shown) face.append(shown);
  });
}

function image(address) {
  const made = element("img", "avatar__picture");
  made.alt = "";
  made.src = address;
  made.addEventListener("error", () => made.remove()); // no picture: the server says so
  return made;
}
