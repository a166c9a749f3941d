// What the list of conversations says about a message that only has files.

import { durationText } from "chatty/lib/files.js";
import { t, tn } from "chatty/views/i18n.js";

const ICONS = { image: "image", video: "video", audio: "mic" };
// What browsers record: voice.js. Music usually has other types.
const RECORDED = ["audio/webm", "audio/ogg", "audio/mp4"];

/**
 * {icon, text}, such as "3 pictures". Null if the message has a text, or if the name says more, because there is a
 * single document. The same as preview() in conversations/web/files.py.
 */
export function filesPreview({ body = "", files = [] }) {
  if (body || !files.length) return null;
  const [{ kind, type, duration }] = files;
  const known = files.every((each) => each.kind === kind) && ICONS[kind];
  const icon = known || "paperclip";
  if (files.length > 1) return { icon, text: tn(`files.${known ? kind : "file"}`, files.length) };
  if (!known) return null;
  const what = t(`files.one.${RECORDED.includes(type) ? "voice" : kind}`);
  return { icon, text: duration === null ? what : `${what}, ${durationText(duration)}` };
}
