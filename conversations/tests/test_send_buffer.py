"""The send buffer of a socket: ordered, bounded, and without effect on other sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from typing import Any, TypeVar

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from chatty.common.errors import ChatError
from conversations import protocol
from conversations.protocol import EncodedFrames
from conversations.sockets import send_buffer as outbox_module
from conversations.sockets.send_buffer import DirectSendBuffer, Extension, QueuedSendBuffer
from conversations.tests.tools import until

T = TypeVar("T")


def words(text: str) -> EncodedFrames:
    return EncodedFrames(text)


class Connection:
    """The extension `chatty.frame`, which records what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.waiting = 0
        self.code: int | None = None
        self.extension: Extension = {
            "write": self.written.append,
            "buffered": lambda: self.waiting,
            "close": self._close,
        }

    def _close(self, code: int) -> None:
        self.code = code

    def texts(self) -> list[str]:
        return [unframed(frame) for frame in self.written]


def unframed(raw: bytes) -> str:
    """Decode the only frame, as a client does."""
    (text,) = all_unframed(raw)
    return text


def all_unframed(raw: bytes) -> list[str]:
    reader = StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    texts = []
    while not finished(reader.at_eof()):
        frame = finished(Frame.parse(reader.read_exact, mask=False))
        assert frame.opcode is Opcode.TEXT
        assert frame.fin
        texts.append(bytes(frame.data).decode())
    return texts


def finished(reading: Generator[None, None, T]) -> T:
    """Return the result of a parser that has all its input."""
    try:
        next(reading)
    except StopIteration as end:
        return end.value
    raise AssertionError("the frame is cut off")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_frames_of_any_size_are_encoded_correctly(size: int):
    text = "é" * (size // 2) + "x" * (size % 2)
    assert len(text.encode()) == size
    assert unframed(EncodedFrames(text).wire_bytes) == text


def test_frames_are_encoded_only_once():
    text = words("hello")
    assert text.wire_bytes is text.wire_bytes


def test_several_frames_are_written_together():
    connection = Connection()
    buffer = DirectSendBuffer(connection.extension)
    texts = ["hello", "x" * 200, "é" * 70_000, ""]
    buffer.release(EncodedFrames(*texts))
    (written,) = connection.written
    assert all_unframed(written) == texts


def test_frames_are_held_until_the_hello():
    connection = Connection()
    buffer = DirectSendBuffer(connection.extension)
    buffer.put(words("early"))
    assert connection.written == []
    buffer.release(words("hello"))
    buffer.put(words("late"))
    assert connection.texts() == ["hello", "early", "late"]


def test_slow_client_is_closed():
    connection = Connection()
    buffer = DirectSendBuffer(connection.extension)
    buffer.release(words("hello"))
    connection.waiting = outbox_module.SEND_BUFFER_BYTES
    buffer.put(words("just fits"))
    assert connection.code is None
    connection.waiting += 1
    buffer.put(words("too much"))
    buffer.put(words("and more"))
    assert connection.code == protocol.CLOSE_TOO_SLOW
    assert connection.texts() == ["hello", "just fits"]


class TestTotalLimit:
    @pytest.fixture(autouse=True)
    def total(self, monkeypatch):
        monkeypatch.setattr(outbox_module, "UNREAD_MAX", 10_000)
        monkeypatch.setattr(outbox_module, "UNREAD_LEFT", 7_500)
        total = outbox_module.Unread()
        monkeypatch.setattr(outbox_module, "UNREAD", total)
        return total

    @staticmethod
    def behind(*waiting: int) -> list[tuple[Connection, DirectSendBuffer]]:
        """Open sockets with this many unsent bytes, in this order."""
        found = []
        for size in waiting:
            connection = Connection()
            buffer = DirectSendBuffer(connection.extension)
            buffer.release(words("hello"))
            connection.waiting = size
            buffer.put(words("next"))
            found.append((connection, buffer))
        return found

    @staticmethod
    def codes(sockets: list[tuple[Connection, DirectSendBuffer]]) -> list[int | None]:
        return [connection.code for connection, _outbox in sockets]

    def test_only_the_slowest_sockets_are_closed(self, total):
        sockets = self.behind(1_000, 6_000, 0, 2_000, 1_000)
        assert self.codes(sockets) == [None] * 5
        sockets += self.behind(1)
        assert self.codes(sockets) == [None, protocol.CLOSE_TOO_SLOW, None, None, None, None]
        assert total.total == 4_001

    def test_read_bytes_do_not_count(self, total):
        sockets = self.behind(5_000, 5_000)
        sockets[0][0].waiting = 0
        sockets += self.behind(2_000)
        assert self.codes(sockets) == [None, None, None]
        assert total.total == 7_000

    def test_sockets_that_catch_up_or_end_do_not_count(self, total):
        (caught_up, its_outbox), (_, other), (_, third) = self.behind(3_000, 2_000, 1_000)
        caught_up.waiting = 0
        its_outbox.put(words("again"))
        other.stop()
        third.close(protocol.CLOSE_RESTART)
        third.stop()
        assert total.total == 0

    def test_large_frame_counts_immediately(self, total):
        connection = Connection()
        buffer = DirectSendBuffer(connection.extension)
        buffer.release(words("hello"))
        buffer._write = lambda frame: setattr(connection, "waiting", len(frame))
        buffer.put(words("x" * 5_000))
        assert total.total == connection.waiting > 5_000


def test_only_the_first_close_applies():
    connection = Connection()
    buffer = DirectSendBuffer(connection.extension)
    buffer.release(words("hello"))
    buffer.close(4001, words("goodbye"))
    buffer.close(1012)
    buffer.put(words("too late"))
    assert connection.code == 4001
    assert connection.texts() == ["hello", "goodbye"]
    assert buffer.closing


def test_rejected_handshake_sends_the_reason_only():
    connection = Connection()
    buffer = DirectSendBuffer(connection.extension)
    buffer.put(words("not for you"))
    buffer.close(4401, words("please sign in"))
    assert connection.texts() == ["please sign in"]


class Server:
    """The `send` of an ASGI server, which blocks while `reads` is not set."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.given_up = False

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.said.append(message)

    def give_up(self) -> None:
        self.given_up = True

    def texts(self) -> list[str]:
        return [message["text"] for message in self.said if "text" in message]

    def codes(self) -> list[int]:
        return [message["code"] for message in self.said if "code" in message]


async def test_queued_buffer_sends_in_order():
    server = Server()
    buffer = QueuedSendBuffer(server.send, server.give_up)
    buffer.put(words("early"))
    await asyncio.sleep(0.01)
    assert server.said == []
    buffer.release(words("hello"))
    buffer.put(words("late"))
    await until(lambda: len(server.said) == 3)
    assert server.texts() == ["hello", "early", "late"]
    buffer.stop()


async def test_queued_buffer_sends_frames_one_by_one():
    server = Server()
    buffer = QueuedSendBuffer(server.send, server.give_up)
    buffer.put(EncodedFrames("c", "d"))
    buffer.release(EncodedFrames("a", "b"))
    await until(lambda: len(server.said) == 4)
    assert server.texts() == ["a", "b", "c", "d"]
    assert buffer._bytes == 0
    buffer.stop()


@pytest.mark.parametrize("many", ["frames", "bytes"])
async def test_client_with_a_full_queue_is_dropped(many: str, monkeypatch):
    monkeypatch.setattr(outbox_module, "CLOSE_SECONDS", 0.05)
    server = Server()
    buffer = QueuedSendBuffer(server.send, server.give_up)
    buffer.release(words("hello"))
    server.reads.clear()
    size = 1 if many == "frames" else outbox_module.SEND_BUFFER_BYTES // 10
    for _ in range(outbox_module.SEND_BUFFER_FRAMES + 2 if many == "frames" else 12):
        buffer.put(words("x" * size))
    assert buffer.closing
    await until(lambda: server.given_up)
    server.reads.set()
    await until(lambda: server.codes())
    assert server.codes() == [protocol.CLOSE_TOO_SLOW]
    assert len(server.texts()) <= 2  # what was already being sent, nothing of the queue


async def test_queued_frames_are_sent_before_a_restart_closes():
    server = Server()
    buffer = QueuedSendBuffer(server.send, server.give_up)
    buffer.release(words("hello"))
    buffer.put(words("stored"))
    buffer.close(protocol.CLOSE_RESTART)
    await until(lambda: server.codes())
    assert server.texts() == ["hello", "stored"]
    assert server.given_up


async def test_disconnected_client_ends_its_socket():
    server = Server()

    async def gone(_message: dict[str, Any]) -> None:
        raise OSError("broken pipe")

    buffer = QueuedSendBuffer(gone, server.give_up)
    buffer.release(words("hello"))
    await until(lambda: server.given_up)


def test_server_frame_is_json_text():
    frame = protocol.ErrorFrame.of(ChatError("busy", retry_after=1))
    assert json.loads(unframed(EncodedFrames.of(frame).wire_bytes))["code"] == "busy"
