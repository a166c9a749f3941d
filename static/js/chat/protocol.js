// The WebSocket protocol, chatty.v2, from conversations/protocol.py.

export const SUBPROTOCOL = "chatty.v2";

export const SIGNED_OUT = 4001;
export const ACCOUNT_CLOSED = 4403;
export const TOO_MANY_SOCKETS = 4409;

const AFTER_CLOSE = new Map([
  [4401, "renew"],
  [4429, "wait"],
  [1009, "stop"],
  [4400, "stop"],
  [SIGNED_OUT, "stop"],
  [ACCOUNT_CLOSED, "stop"],
  [TOO_MANY_SOCKETS, "stop"],
]);

/** What to do after the socket was closed with `code`: "reconnect", "renew", "wait" or "stop". */
export function afterClose(code) {
  return AFTER_CLOSE.get(code) ?? "reconnect";
}
