import { asJpeg } from "chatty/lib/heic.js";
import { equal, ok } from "tests/assert.js";

/** A picture that this browser can read, whatever it is called. */
async function picture(name, type) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 60, height: 40 });
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return new File([blob], name, { type });
}

export async function test_photo_that_the_browser_can_read_is_sent_as_jpeg() {
  for (const [name, type] of [
    ["IMG_1.HEIC", "image/heic"],
    ["IMG_1.heif", ""],
    ["IMG_1", "image/heif"],
  ]) {
    const made = await asJpeg(await picture(name, type));
    equal([made.name, made.type], ["IMG_1.jpg", "image/jpeg"]);
    equal([...new Uint8Array(await made.slice(0, 3).arrayBuffer())], [0xff, 0xd8, 0xff]);
    const { width, height } = await createImageBitmap(made);
    equal([width, height], [60, 40]);
  }
}

export async function test_other_files_and_photos_that_can_not_be_read_stay_as_they_are() {
  const photo = new File(["ftypheic"], "IMG_1.HEIC", { type: "image/heic" });
  for (const file of [photo, await picture("a.png", "image/png")]) ok((await asJpeg(file)) === file);
}
