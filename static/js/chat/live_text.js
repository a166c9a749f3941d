// Which messages count as unread.

/**
 * True for a text message that is not deleted: only those count as unread.
 * @param {Wire.Message} message
 */
export function isLiveText(message) {
  return message.kind === "text" && !message.deleted_at;
}
