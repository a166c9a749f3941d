// What is said about a file: its size, the letters on its card, the box of a picture. The same as in
// conversations/web/files.py.

const SIDE = 420; // CSS pixels: the longer side of a picture or video in a message
const UNIT = 1024;
const ENDING = /\.([a-z0-9]{1,5})$/i;
const PICTURES = ["jpeg", "png", "gif", "webp", "avif"];

/** "999 B", "18 KB", "1.5 MB" in the language of the page. */
export function sizeText(bytes, language = document.documentElement.lang || "en") {
  if (bytes < UNIT) return `${bytes} B`;
  let unit = "KB";
  let tenths = tenthsOf(bytes, UNIT);
  if (tenths >= 10 * UNIT) [unit, tenths] = ["MB", tenthsOf(bytes, UNIT ** 2)];
  if (tenths >= 10 * UNIT) [unit, tenths] = ["GB", tenthsOf(bytes, UNIT ** 3)];
  if (unit === "KB" || tenths >= 1_000) return `${Math.floor((tenths + 5) / 10)} ${unit}`;
  const number = (tenths / 10).toLocaleString(language, { minimumFractionDigits: 1 });
  return `${number} ${unit}`;
}

/** Rounded half up. */
function tenthsOf(bytes, unit) {
  return Math.floor((bytes * 20 + unit) / (unit * 2));
}

/** "CSV" for "orders.csv", or "" if the name has no such ending. */
export function labelOf(name) {
  return name.match(ENDING)?.[1].toUpperCase() ?? "";
}

/** The name above a player: "Song" for "Song.mp3". */
export function titleOf(name) {
  return name.replace(ENDING, "") || name;
}

/** [width, height] of the box of a picture with this many pixels: never larger than itself. */
export function shownSize(width, height) {
  const longer = Math.max(width, height);
  if (longer <= SIDE) return [width, height];
  return [width, height].map((side) => Math.max(1, Math.floor((side * SIDE * 2 + longer) / (longer * 2))));
}

/**
 * The kind of a file that has not been uploaded. The server finds it out from the bytes, and knows these formats of
 * pictures.
 */
export function kindOf(type) {
  const [kind, format] = type.split("/");
  if (kind === "image" && !PICTURES.includes(format)) return "file";
  return ["image", "audio", "video", "text"].includes(kind) ? kind : "file";
}

/** "1:05" */
export function durationText(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
