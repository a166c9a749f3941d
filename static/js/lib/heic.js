// Photos in the format of iPhones. Few browsers show them, and the server does not decode them. Those of Apple can, so
// there they are sent as JPEG.

const TYPE = /^image\/hei[cf]$/;
const ENDING = /\.hei[cf]$/i;
const QUALITY = 0.9;

/**
 * A photo as JPEG, upright and without metadata. Any other file, or one that this browser can't read, as it is.
 * @param {File} file
 */
export async function asJpeg(file) {
  if (!TYPE.test(file.type) && !ENDING.test(file.name)) return file;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return file;
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  /** @type {Blob | null} */
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  canvas.width = 0; // gives its memory back
  if (!blob) return file; // too large for a canvas
  return new File([blob], `${file.name.replace(ENDING, "")}.jpg`, { type: blob.type });
}
