// What the list of conversations says about a message that only has files.

import { durationText } from "chatty/lib/files.js";
import { t, tn } from "chatty/views/i18n.js";

// Of each kind that is named: its icon, and how one or several are called.
const KINDS = {
  image: { icon: "image", one: "files.one.image", several: (n) => tn("files.image", n) },
  video: { icon: "video", one: "files.one.video", several: (n) => tn("files.video", n) },
  audio: { icon: "mic", one: "files.one.audio", several: (n) => tn("files.audio", n) },
};
const OTHERS = { icon: "paperclip", one: "", several: (n) => tn("files.file", n) };
// What browsers record: voice.js. Music usually has other types.
const RECORDED = ["audio/webm", "audio/ogg", "audio/mp4"];

/**
 * {icon, text}, such as "3 pictures". Null if the message has a text, or if the name says more, because there is a
 * single document. The same as preview() in conversations/web/files.py.
 */
export function filesPreview({ body = "", files = [] }) {
  if (body || !files.length) return null;
  const [{ kind, type, duration }] = files;
  const isSame = files.every((each) => each.kind === kind);
  const { icon, one, several } = (isSame && KINDS[kind]) || OTHERS;
  if (files.length > 1) return { icon, text: several(files.length) };
  if (!one) return null;
  const what = t(RECORDED.includes(type) ? "files.one.voice" : one);
  return { icon, text: duration === null ? what : `${what}, ${durationText(duration)}` };
}
