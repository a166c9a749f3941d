// Sends read marks.

/** Send a read mark, over the socket or with an HTTP request. Returns false if neither is possible. */
export function sendMark(conversation, seq, { connection, rest }) {
  if (connection.send({ type: "read", conversation, seq })) return true;
  if (!connection.usesRest) return false;
  rest.post(`conversations/${conversation}/read/`, { seq }).catch(() => {});
  return true;
}
