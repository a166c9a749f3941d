"""The WebSocket protocol: frames from clients, frames from the server, close codes.

Parsing has no side effects: it returns a typed frame or raises ChatError. It raises nothing else
whatever a client sends, so a bad frame is answered with an error and the socket stays open.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from django.conf import settings
from msgspec import UNSET, UnsetType

from chatty.common.errors import ChatError
from chatty.common.names import nearest_name
from chatty.common.numbers import NUMBER_MAX
from chatty.common.structs import nearest_within
from conversations.content import Content

SUBPROTOCOL = "chatty.v2"
FORMER_SUBPROTOCOLS = ("chatty.v1",)  # clients that offer only these get an `upgrade` frame
FRAME_MAX = settings.FRAME_MAX  # bytes of one incoming frame
DEPTH_MAX = 32
HEARTBEAT_SECONDS = 25

# After these, clients reconnect with jittered back-off,
CLOSE_RESTART = 1012
CLOSE_INTERNAL = 1011
CLOSE_TOO_SLOW = 4408
# ... after renewing their credentials,
CLOSE_UNAUTHENTICATED = 4401
# ... after waiting for the `retry_after` of the last error,
CLOSE_SLOW_DOWN = 4429
# ... and after these not at all.
CLOSE_BAD_CLIENT = 4400  # also for clients of a former version: see `upgrade`
CLOSE_SIGNED_OUT = 4001
CLOSE_ACCOUNT_CLOSED = 4403
CLOSE_TOO_MANY = 4409


def choose_subprotocol(offered: Sequence[str]) -> str | None:
    """Return the subprotocol to accept; None if none of those offered is known."""
    for known in (SUBPROTOCOL, *FORMER_SUBPROTOCOLS):
        if known in offered:
            return known
    return None


# --- from clients ----------------------------------------------------------------------------------

Id = msgspec.Meta(ge=1, le=NUMBER_MAX)
Version = msgspec.Meta(ge=0, le=NUMBER_MAX)


class ClientFrame(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, frozen=True):
    """Base class of all frames from clients."""


class Send(ClientFrame, Content, tag="send", frozen=True, kw_only=True):
    """The fields of the content are beside the others. Content.within() returns it."""

    conversation: Annotated[int, Id]
    key: str


class Read(ClientFrame, tag="read", frozen=True):
    conversation: Annotated[int, Id]
    seq: Annotated[int, Version]


class Typing(ClientFrame, tag="typing", frozen=True):
    conversation: Annotated[int, Id]


class Sync(ClientFrame, tag="sync", frozen=True):
    conversation: Annotated[int, Id]
    version: Annotated[int, Version]


class Auth(ClientFrame, tag="auth", frozen=True):
    token: str


class Ping(ClientFrame, tag="ping", frozen=True):
    pass


_KINDS = {kind.__struct_config__.tag: kind for kind in (Send, Read, Typing, Sync, Auth, Ping)}
_decoder = msgspec.json.Decoder(Send | Read | Typing | Sync | Auth | Ping, strict=True)


def parse(text: str | None, data: bytes | None = None) -> ClientFrame:
    """Return the typed frame. Raises ChatError("bad_frame" | "too_big"), and as Content does."""
    if text is None:
        raise ChatError("bad_frame", "Frames are JSON text; this one was binary.")
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise ChatError("bad_frame", "The frame is not valid Unicode text.") from None
    if len(raw) > FRAME_MAX:
        raise ChatError("too_big", f"A frame can have at most {FRAME_MAX} bytes.")
    check_depth(raw)
    try:
        frame: ClientFrame = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        # Safe to send: it names fields and expected types. The only value it repeats is an unknown `type`.
        raise ChatError(
            "bad_frame", f"Unknown or invalid frame: {error}.{_suggestion(raw, error)}"
        ) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ChatError("bad_frame", "The frame is not valid JSON.") from None
    return frame


def _suggestion(raw: bytes, error: msgspec.ValidationError) -> str:
    """Return a sentence with the type or field that was probably meant, "" if none is similar."""
    try:
        frame = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):  # after the unknown field
        return ""
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        return ""
    kind = _KINDS.get(frame["type"])
    if kind is None:
        meant = [nearest_name(frame["type"], map(str, _KINDS))]
    else:
        known = kind.__struct_fields__
        unknown = [name for name in frame if name not in known and name != "type"]
        meant = [nearest_name(name, known) for name in unknown[:1]] or [nearest_within(error, kind)]
    return "".join(f" Did you mean `{name}`?" for name in meant if name)


def check_depth(raw: bytes) -> None:
    """Raise ChatError("bad_frame") for JSON nested deeper than DEPTH_MAX.

    Runs before the parser, which could otherwise exhaust the stack. Counts brackets outside of strings.
    """
    if raw.count(b"[") + raw.count(b"{") <= DEPTH_MAX:
        return
    depth = 0
    inside = escaped = False
    for byte in raw:
        if inside:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                inside = False
        elif byte == 0x22:
            inside = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            if depth > DEPTH_MAX:
                raise ChatError("bad_frame", f"JSON can be nested at most {DEPTH_MAX} levels deep.")
        elif byte in (0x5D, 0x7D):
            depth -= 1


def frame_address(text: str | None) -> dict[str, Any]:
    """Return the `key` and `conversation` of a rejected frame, where they can be found, so that the
    client knows which message the error is about."""
    try:
        frame = _address_decoder.decode(text or "")
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        # Not valid JSON (a lone surrogate in the body is enough), but the key may still be readable.
        found = _KEY.search(text or "")
        return {"key": found[1]} if found else {}
    return {name: value for name, value in msgspec.to_builtins(frame).items() if value is not None}


class _Address(msgspec.Struct):
    key: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    conversation: Annotated[int, Id] | None = None


_KEY = re.compile(r'"key"\s*:\s*"([A-Za-z0-9_-]{1,64})"')
_address_decoder = msgspec.json.Decoder(_Address)


# --- from the server -------------------------------------------------------------------------------

_encoder = msgspec.json.Encoder()


def encode(frame: msgspec.Struct) -> str:
    return _encoder.encode(frame).decode()


class EncodedFrames:
    """One or more JSON frames for any number of sockets of this process. Their WebSocket framing is
    computed at most once, and each socket gets them in one write."""

    __slots__ = ("_wire_bytes", "texts")

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self._wire_bytes: bytes | None = None

    @classmethod
    def of(cls, frame: msgspec.Struct) -> EncodedFrames:
        return cls(encode(frame))

    @property
    def wire_bytes(self) -> bytes:
        """The concatenated WebSocket frames."""
        if self._wire_bytes is None:
            self._wire_bytes = b"".join(map(_websocket_frame, self.texts))
        return self._wire_bytes


def _websocket_frame(text: str) -> bytes:
    """Return a final, unmasked text frame (RFC 6455, section 5.2)."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 65_536:
        head = struct.pack("!BBH", 0x81, 126, size)
    else:
        head = struct.pack("!BBQ", 0x81, 127, size)
    return head + payload


class ServerFrame(msgspec.Struct, tag_field="type", frozen=True):
    """Base class of all frames from the server. Those with messages, conversations or people are in
    frames.py."""


class SentFrame(ServerFrame, tag="sent", frozen=True):
    key: str
    conversation: int
    id: int
    seq: int
    version: int


class GoneConversation(msgspec.Struct, frozen=True):
    """A conversation of which you are no longer a member."""

    id: int


class GoneFrame(ServerFrame, tag="conversation", frozen=True):
    change: Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["removed", "deleted"]})]
    conversation: GoneConversation


class ReadFrame(ServerFrame, tag="read", frozen=True):
    conversation: int
    user: int
    seq: int


class ReadMark(msgspec.Struct, frozen=True):
    user: int
    seq: int


class SeenFrame(ServerFrame, tag="seen", frozen=True):
    conversation: int
    marks: list[ReadMark]

    @classmethod
    def of(cls, conversation: int, marks: Mapping[int, int]) -> SeenFrame:
        """`marks`: user id -> seq."""
        return cls(conversation, [ReadMark(user, seq) for user, seq in marks.items()])


class PresenceFrame(ServerFrame, tag="presence", frozen=True):
    online: list[int]
    offline: list[int]
    reset: bool


class Typist(msgspec.Struct, frozen=True):
    id: int
    name: str


class TypingFrame(ServerFrame, tag="typing", frozen=True):
    conversation: int
    user: Typist


class AuthExpiringFrame(ServerFrame, tag="auth_expiring", frozen=True):
    seconds: int


class JoinRequestsFrame(ServerFrame, tag="join_requests", frozen=True):
    """For the owners and admins of a group: how many people are asking to join."""

    conversation: int
    waiting: int


class JoinRequestFrame(ServerFrame, tag="join_request", frozen=True):
    """For someone who has asked to join a group: where the request is now."""

    conversation: int
    state: Annotated[
        str, msgspec.Meta(extra_json_schema={"enum": ["waiting", "declined", "accepted"]})
    ]


class UpgradeFrame(ServerFrame, tag="upgrade", frozen=True):
    subprotocols: list[str]
    detail: str


class ErrorFrame(ServerFrame, tag="error", frozen=True):
    """`key` and `conversation`: of the rejected frame, where they are known. `retry_after`: seconds."""

    code: str
    detail: str
    retry: bool
    key: str | UnsetType = UNSET
    conversation: int | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET

    @classmethod
    def of(
        cls,
        error: ChatError,
        *,
        key: str | UnsetType = UNSET,
        conversation: int | UnsetType = UNSET,
    ) -> ErrorFrame:
        wait = UNSET if error.retry_after is None else round(error.retry_after, 3)
        return cls(error.code, str(error.detail), error.retry, key, conversation, wait)


class HeartbeatFrame(ServerFrame, tag="heartbeat", frozen=True):
    pass


class PongFrame(ServerFrame, tag="pong", frozen=True):
    pass


HEARTBEAT = EncodedFrames.of(HeartbeatFrame())
PONG = EncodedFrames.of(PongFrame())
