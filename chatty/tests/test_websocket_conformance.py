"""The WebSocket protocol of `serve` by RFC 6455: bytes go into its class, and bytes come out.

There is no network. Every case is delivered in one piece, byte by byte and in two pieces, because nothing
may depend on how TCP cuts the stream. The application echoes what it receives.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import struct
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from uvicorn.server import ServerState

from chatty.server.uvicorn_protocols import SocketProtocol
from chatty.server.uvicorn_server import configuration
from tests.sockets import mask_payload

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
MASK = bytes.fromhex("37fa213d")  # as in the example of section 5.7

# --- the connection --------------------------------------------------------------------------------


class Transport(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closing = self.paused = False

    def write(self, data) -> None:
        if not self.closing:
            self.written += data

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 0


@dataclass
class Application:
    """Accepts, and echoes every message. `received`: the messages, then the code of the disconnection."""

    received: list[str | bytes | int] = field(default_factory=list)
    subprotocol: str | None = None

    async def __call__(self, scope, receive, send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        offered = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None})
        extension = scope["extensions"]["chatty.frame"]
        while (message := await receive())["type"] == "websocket.receive":
            text, data = message.get("text"), message.get("bytes")
            self.received.append(text if text is not None else data)
            opcode, payload = (TEXT, text.encode()) if text is not None else (BINARY, data)
            extension["write"](served(opcode, payload))
        self.received.append(message["code"])


@functools.cache
def loaded():
    config = configuration(app=lambda: None, lifespan="off")
    config.load()
    return config


class Connection:
    def __init__(self) -> None:
        self.transport = Transport()
        self.application = Application()
        self.protocol = SocketProtocol(loaded(), ServerState(), {})
        self.protocol.app = self.application
        self.protocol.connection_made(self.transport)

    async def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            if self.transport.paused:
                await self.rest()
            if not self.transport.closing:
                self.protocol.data_received(piece)
        await self.rest()

    async def rest(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    def taken(self) -> bytes:
        written = bytes(self.transport.written)
        self.transport.written.clear()
        return written

    async def end(self) -> None:
        """Disconnect, and wait for the application."""
        self.transport.close()
        self.protocol.connection_lost(None)
        await self.rest()


def handshake(*lines: str, start: str = "GET /ws/ HTTP/1.1", without: str = "") -> bytes:
    usual = [
        "Host: chat.example.org",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    changed = {line.partition(":")[0] for line in lines} | {without}
    kept = [line for line in usual if line.partition(":")[0] not in changed]
    return "\r\n".join([start, *kept, *lines, "", ""]).encode()


async def opened() -> Connection:
    connection = Connection()
    await connection.feed(handshake())
    assert connection.taken().startswith(b"HTTP/1.1 101 ")
    return connection


# --- frames ----------------------------------------------------------------------------------------


def length(size: int, *, form: int | None = None) -> tuple[int, bytes]:
    """Return the seven bits and the bytes that follow. `form`: 7, 16 or 64 bits; by default the shortest."""
    form = form or (7 if size < 126 else 16 if size < 65_536 else 64)
    match form:
        case 7:
            return size, b""
        case 16:
            return 126, struct.pack("!H", size)
    return 127, struct.pack("!Q", size)


def frame(opcode, payload=b"", *, flags=FIN, mask: bytes | None = MASK, form=None, size=None):
    """Return a frame from the client. `size`: the length it states, if that is not the payload's."""
    bits, extended = length(len(payload) if size is None else size, form=form)
    head = bytes((flags | opcode, bits | (0x80 if mask is not None else 0))) + extended
    if mask is None:
        return head + payload
    return head + mask + mask_payload(payload, mask)


def served(opcode, payload=b"") -> bytes:
    """Return a frame from the server: final, not masked, with the shortest length."""
    bits, extended = length(len(payload))
    return bytes((FIN | opcode, bits)) + extended + payload


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return b"" if code is None else struct.pack("!H", code) + reason


def parsed(data: bytes) -> list[tuple[int, bytes]]:
    """Return the frames of the server, and check their form (sections 5.1 and 5.2)."""
    frames = []
    while data:
        first, second = data[0], data[1]
        assert first & (RSV1 | RSV2 | RSV3) == 0, "no extension was agreed on"
        assert second & 0x80 == 0, "a server must not mask"
        size, at = second & 0x7F, 2
        if size == 126:
            (size,), at = struct.unpack_from("!H", data, 2), 4
        elif size == 127:
            (size,), at = struct.unpack_from("!Q", data, 2), 10
        assert length(size)[0] == second & 0x7F, "the shortest length must be used"
        assert first & 0x08 == 0 or (size < 126 and first & FIN), (
            "control frames are short and whole"
        )
        frames.append((first & 0x0F, data[at : at + size]))
        assert len(data) >= at + size, "a frame was cut"
        data = data[at + size :]
    return frames


# --- cases -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """`echoed`: the frames that come back before the close frame, if there is one.

    `code`: that of the server's close frame (1005: it is empty), or None if the connection stays open.
    """

    name: str
    sent: bytes
    echoed: tuple[tuple[int, bytes], ...] = ()
    code: int | None = None


def good(name: str, sent: bytes, *echoed: tuple[int, bytes]) -> Case:
    return Case(name, sent, echoed)


def bad(name: str, sent: bytes, code: int = 1002, *echoed: tuple[int, bytes]) -> Case:
    return Case(name, sent, echoed, code)


def lengths():
    for size in (0, 1, 125, 126, 127, 128, 65_535, settings.FRAME_MAX):
        payload = (b"0123456789abcdef" * 4097)[:size]
        yield good(f"text of {size} bytes", frame(TEXT, payload), (TEXT, payload))
        yield good(f"binary of {size} bytes", frame(BINARY, payload), (BINARY, payload))
    # The sender must use the shortest form; the recipient may be lenient (section 5.2).
    yield good("short text with 16 bits of length", frame(TEXT, b"a", form=16), (TEXT, b"a"))
    yield good("short text with 64 bits of length", frame(TEXT, b"a", form=64), (TEXT, b"a"))
    for size in (settings.FRAME_MAX + 1, 2**31, 2**32, 2**62, 2**63 - 1):
        yield bad(f"text that states {size} bytes", frame(TEXT, size=size, form=64), 1009)
        yield bad(f"binary that states {size} bytes", frame(BINARY, size=size, form=64), 1009)
    # The most significant bit must be 0. It is more than the maximum in any case.
    yield bad("length with its most significant bit", frame(TEXT, size=2**63, form=64), 1009)


def masks():
    for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\x01\x02\x03"):
        yield good(f"mask {mask.hex()}", frame(TEXT, b"Hello", mask=mask), (TEXT, b"Hello"))
    for name, opcode in (("text", TEXT), ("binary", BINARY), ("ping", PING), ("pong", PONG)):
        yield bad(f"{name} without a mask", frame(opcode, b"Hello", mask=None))
    yield bad("close without a mask", frame(CLOSE, close(1000), mask=None))


def flags_and_opcodes():
    for flags in (RSV1, RSV2, RSV3, RSV1 | RSV2, RSV1 | RSV3, RSV2 | RSV3, RSV1 | RSV2 | RSV3):
        yield bad(f"text with reserved bits {flags:#x}", frame(TEXT, b"a", flags=FIN | flags))
    for name, opcode in (("ping", PING), ("pong", PONG), ("close", CLOSE), ("binary", BINARY)):
        yield bad(f"{name} with a reserved bit", frame(opcode, flags=FIN | RSV1))
    for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF):
        yield bad(f"opcode {opcode:#x}", frame(opcode, b"a"))
        yield bad(f"opcode {opcode:#x} without payload", frame(opcode))


def control_frames():
    for size in (0, 1, 124, 125):
        payload = bytes(range(size))
        yield good(f"ping of {size} bytes", frame(PING, payload), (PONG, payload))
        yield good(f"unsolicited pong of {size} bytes", frame(PONG, payload))
    for name, opcode in (("ping", PING), ("pong", PONG), ("close", CLOSE)):
        yield bad(f"{name} of 126 bytes", frame(opcode, close(1000, b"a" * 124)))
        yield bad(f"{name} of too many bytes", frame(opcode, size=settings.FRAME_MAX + 1), 1009)
        yield bad(f"{name} in fragments", frame(opcode, close(1000), flags=0))
    ten = tuple((PONG, bytes((n,))) for n in range(10))
    yield good("ten pings", b"".join(frame(PING, bytes((n,))) for n in range(10)), *ten)
    yield good("pong, then ping", frame(PONG, b"a") + frame(PING, b"b"), (PONG, b"b"))


def fragments():
    start, end = frame(TEXT, b"Hel", flags=0), frame(CONT, b"lo")
    hello = (TEXT, b"Hello")
    yield good("text in two fragments", start + end, hello)
    middle = frame(CONT, b"", flags=0)
    yield good("text in three fragments, one empty", start + middle + end, hello)
    binary = frame(BINARY, b"\xff", flags=0) + frame(CONT, b"\xfe")
    yield good("binary in two fragments", binary, (BINARY, b"\xff\xfe"))
    empty = frame(TEXT, flags=0) + middle + frame(CONT)
    yield good("text in three empty fragments", empty, (TEXT, b""))
    single = b"".join(frame(CONT, b"a", flags=0) for _ in range(60))
    yield good("text in 62 fragments", start + single + end, (TEXT, b"Hel" + b"a" * 60 + b"lo"))
    yield good("two texts in fragments", (start + end) * 2, hello, hello)
    ping = frame(PING, b"now")
    yield good("ping between fragments", start + ping + end, (PONG, b"now"), hello)
    yield good("pong between fragments", start + frame(PONG, b"now") + end, hello)
    three = start + ping + middle + ping + end
    yield good("pings between fragments", three, (PONG, b"now"), (PONG, b"now"), hello)
    yield bad("continuation of nothing", frame(CONT, b"a"))
    yield bad("unfinished continuation of nothing", frame(CONT, b"a", flags=0))
    yield bad("continuation after a whole text", frame(TEXT, b"a") + frame(CONT, b"b"), 1002)
    yield bad("continuation after the last fragment", start + end + end)
    yield bad("text within fragments", start + frame(TEXT, b"a"))
    yield bad("binary within fragments", start + frame(BINARY, b"a"))
    yield bad("second start within fragments", start + start)
    yield bad("close within fragments", start + frame(CLOSE, close(1000)))
    yield bad("reserved bit on a continuation", start + frame(CONT, b"lo", flags=FIN | RSV2))
    half = b"a" * (settings.FRAME_MAX // 2)
    whole = frame(TEXT, half, flags=0) + frame(CONT, half)
    yield good("fragments of the maximum together", whole, (TEXT, half + half))
    yield bad("fragments beyond it", frame(TEXT, half, flags=0) + frame(CONT, half + b"a"), 1009)


def texts():
    for name, text in {
        "two bytes": "é",
        "three bytes": "€",
        "four bytes": "🌱",
        "the first of each length": "\x00\x80\u0800\U00010000",
        "the last of each length": "\x7f\u07ff\uffff\U0010ffff",
        "around the surrogates": "\ud7ff\ue000",
        "noncharacters": "\ufdd0\ufffe",
        "a byte order mark": "\ufeff",
    }.items():
        yield good(f"text: {name}", frame(TEXT, text.encode()), (TEXT, text.encode()))
    seed = "🌱".encode()
    for at in (1, 2, 3):
        cut = frame(TEXT, seed[:at], flags=0) + frame(CONT, seed[at:])
        yield good(f"character cut after byte {at} by fragments", cut, (TEXT, seed))
    for name, data in {
        "a lone continuation byte": b"\x80",
        "a lone first byte": b"\xc3",
        "a character that ends early": "€".encode()[:2],
        "a text that ends early": "Köln 🌱".encode()[:-1],
        "a character that is interrupted": b"\xe2\x82a",
        "overlong, two bytes": b"\xc0\xaf",
        "overlong, three bytes": b"\xe0\x80\xaf",
        "overlong, four bytes": b"\xf0\x80\x80\xaf",
        "overlong NUL": b"\xc0\x80",
        "high surrogate": b"\xed\xa0\x80",
        "low surrogate": b"\xed\xbf\xbf",
        "pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
        "beyond U+10FFFF": b"\xf4\x90\x80\x80",
        "five bytes": b"\xf8\x88\x80\x80\x80",
        "0xFE": b"\xfe",
        "0xFF": b"\xff",
        "Latin-1": b"K\xf6ln",
    }.items():
        yield bad(f"not UTF-8: {name}", frame(TEXT, data), 1007)
    split = frame(TEXT, b"K\xf6", flags=0) + frame(CONT, b"ln")
    yield bad("not UTF-8 in fragments", split, 1007)
    yield good("binary is not UTF-8", frame(BINARY, b"\xff\xfe"), (BINARY, b"\xff\xfe"))


def closing():
    yield Case("close", frame(CLOSE), (), 1005)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield Case(f"close with {code}", frame(CLOSE, close(code)), (), code)
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield bad(f"close with {code}", frame(CLOSE, close(code)))
    yield bad("close with half a code", frame(CLOSE, b"\x03"))
    yield Case("close with a reason", frame(CLOSE, close(1000, b"bye")), (), 1000)
    yield Case("longest reason", frame(CLOSE, close(1000, b"a" * 123)), (), 1000)
    yield bad("reason that is not UTF-8", frame(CLOSE, close(1000, b"\xff")), 1007)
    yield Case("text after close", frame(CLOSE, close(1000)) + frame(TEXT, b"a"), (), 1000)
    yield Case("ping after close", frame(CLOSE, close(1000)) + frame(PING, b"a"), (), 1000)
    yield Case("two closes", frame(CLOSE, close(1000)) + frame(CLOSE, close(1001)), (), 1000)
    yield Case("nonsense after close", frame(CLOSE, close(1000)) + b"\xff" * 20, (), 1000)
    yield bad("nonsense", b"GET / HTTP/1.1\r\n\r\n")


CASES = [
    *lengths(),
    *masks(),
    *flags_and_opcodes(),
    *control_frames(),
    *fragments(),
    *texts(),
    *closing(),
]


def whole(data: bytes) -> list[bytes]:
    return [data]


def by_byte(data: bytes) -> list[bytes]:
    """Large payloads would take seconds: their heads are what matters."""
    return [data[i : i + 1] for i in range(min(len(data), 400))] + [data[400:]]


def in_halves(data: bytes) -> list[bytes]:
    return [data[: len(data) // 2], data[len(data) // 2 :]]


def test_there_are_cases_for_every_section():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 140


@pytest.mark.parametrize("cut", [whole, by_byte, in_halves])
async def test_frames_are_handled_as_specified(cut, caplog):
    caplog.set_level(logging.WARNING)
    outcomes = {case.name: await outcome(case, cut) for case in CASES}
    assert {name: wrong for name, wrong in outcomes.items() if wrong} == {}
    assert caplog.records == []  # a client's mistakes are no errors of the server


async def outcome(case: Case, cut) -> str:
    """Return what is wrong, or an empty string."""
    connection = await opened()
    await connection.feed(*filter(None, cut(case.sent)))
    frames = parsed(connection.taken())
    application = connection.application
    closed = frames.pop()[1] if frames and frames[-1][0] == CLOSE else None
    if [opcode for opcode, _payload in frames].count(CLOSE):
        return "more than one close frame"
    if case.code is None:
        ends = "" if closed is None and not connection.transport.closing else f"closed: {closed!r}"
    elif closed is None:
        ends = "not closed"
    else:
        code = struct.unpack_from("!H", closed)[0] if closed else 1005
        ends = "" if code == case.code else f"closed with {code}"
        if not connection.transport.closing:
            ends += ", but the connection stays open"
    await connection.end()
    if case.code is None and frames != list(case.echoed):
        return f"{ends} {frames!r}"[:300]
    if not application.received or not isinstance(application.received[-1], int):
        return f"{ends} the application was not told"
    return ends


# --- the handshake -----------------------------------------------------------------------------------


async def answer(request: bytes) -> tuple[int, dict[str, str], Connection]:
    connection = Connection()
    await connection.feed(request)
    head, _, _body = connection.taken().partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (ln.partition(":") for ln in lines)
    }
    await connection.end()
    return int(start.split()[1]), headers, connection


async def test_handshake_is_answered_as_in_the_example():
    status, headers, _ = await answer(handshake())
    assert status == 101
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert headers["upgrade"].lower() == "websocket"
    assert headers["connection"].lower() == "upgrade"
    assert "sec-websocket-protocol" not in headers
    assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize(
    "line",
    [
        "Upgrade: WebSocket",
        "Upgrade: WEBSOCKET",
        "Connection: keep-alive, Upgrade",
        "Connection: upgrade",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Extensions: unheard-of; x=1, other",
    ],
)
async def test_handshake_accepts(line):
    status, headers, _ = await answer(handshake(line))
    assert status == 101
    assert "sec-websocket-extensions" not in headers


async def test_one_of_the_offered_subprotocols_is_selected():
    _, headers, _ = await answer(handshake("Sec-WebSocket-Protocol: chatty.v2, other"))
    assert headers["sec-websocket-protocol"] == "chatty.v2"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(handshake(without="Upgrade"), 426, id="no Upgrade"),
        pytest.param(handshake("Upgrade: h2c"), 426, id="another protocol"),
        pytest.param(handshake(without="Connection"), 426, id="no Connection"),
        pytest.param(handshake("Connection: close"), 426, id="no upgrade in Connection"),
        pytest.param(handshake(without="Sec-WebSocket-Key"), 400, id="no key"),
        pytest.param(handshake("Sec-WebSocket-Key: "), 400, id="empty key"),
        pytest.param(handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="), 400, id="short key"),
        pytest.param(handshake("Sec-WebSocket-Key: not base64 at all!"), 400, id="bad key"),
        pytest.param(handshake(without="Sec-WebSocket-Version"), 426, id="no version"),
    ],
)
async def test_handshake_rejects(request_bytes, status, caplog):
    caplog.set_level(logging.WARNING)
    got, headers, connection = await answer(request_bytes)
    assert got == status
    assert "sec-websocket-accept" not in headers
    assert connection.transport.closing
    assert connection.application.received == []
    assert caplog.records == []


@pytest.mark.parametrize("version", ["0", "8", "12", "14", "255"])
async def test_handshake_of_another_version_names_the_right_one(version):
    status, headers, _ = await answer(handshake(f"Sec-WebSocket-Version: {version}"))
    assert status == 426
    assert headers.get("sec-websocket-version") == "13"
