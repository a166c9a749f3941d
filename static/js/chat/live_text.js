// Which messages count as unread, and whom they mention.

/**
 * True for a text message that is not deleted: only those count as unread.
 * @param {Wire.Message} message
 */
export function isLiveText(message) {
  return message.kind === "text" && !message.deleted_at;
}

/**
 * Whether a message mentions this member. Its author is not among everyone.
 * @param {Wire.Message} message
 * @param {number} id
 */
export function isMentioned({ mentions: ids, mentions_all: everyone, author }, id) {
  return Boolean(ids?.includes(id) || (everyone && author?.id !== id));
}
