"""The WebSocket consumer: authenticates a client, handles its frames, and writes frames to it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import translation
from django.utils.translation import gettext
from msgspec.structs import replace

from accounts import socket_auth
from accounts.models import User
from accounts.socket_auth import SocketIdentity
from accounts.wire import person_to_wire
from chatty.assets.build import build_id
from chatty.common.errors import DATABASE_ERRORS, ChatError
from chatty.common.handshakes import FRAME_EXTENSION, refuse_handshake
from chatty.common.limiter import client_address, limiter
from conversations import actions, markdown, protocol, publisher
from conversations.actions import Draft
from conversations.content import Content
from conversations.events import EphemeralEvent
from conversations.frames import HelloFrame, Limits
from conversations.protocol import EncodedFrames
from conversations.realtime import engine
from conversations.realtime.writer import Result
from conversations.sockets.admission import (
    close_code,
    release_places,
    require_spare_socket,
    take_places,
)
from conversations.sockets.expiry import ExpiryTimers
from conversations.sockets.limits import (
    FIRST_FRAME_SECONDS,
    MEMBERSHIP_READS,
    PAUSE_SECONDS,
    RETURN_SECONDS,
    ClientLimits,
)
from conversations.sockets.reads import Arrival, read_arrival, read_changes, read_rooms
from conversations.sockets.send_buffer import DirectSendBuffer, QueuedSendBuffer, SendBuffer
from conversations.wire import ConversationOut

logger = logging.getLogger(__name__)


class ChatConsumer(AsyncWebsocketConsumer):
    """One socket. See docs/protocol.md for every frame and close code."""

    identity: SocketIdentity
    send_buffer: SendBuffer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rooms: set[int] = set()
        self.is_stale = self.has_joined = False
        self.user_id = 0
        self.name = ""
        self.sid = ""
        self._addresses: tuple[str, ...] = ()  # the address and network it is counted for
        self.language = ""  # of the profile; if "", that of the handshake is used
        self._expiry = ExpiryTimers(self)
        self._first_frame: asyncio.TimerHandle | None = (
            None  # its deadline, while it must be `auth`
        )
        self._client_limits = ClientLimits()
        self._answers: list[str] = []
        self._reads: dict[int, int] = {}  # conversation id -> seq, not saved yet
        self._reading = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket from the handshake to the end.

        Cleans up here and not in disconnect(), because no server calls disconnect() after an exception.
        The socket would then stay registered in the relay, which would write to it permanently.
        """
        self.scope, self.base_send = scope, send
        self._main = asyncio.current_task()
        self._over = False
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        except asyncio.CancelledError:
            # _give_up() cancelled this task; any other cancellation means that the server stops.
            if not self._over:
                raise
        finally:
            self._leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "websocket.connect":
                await self.websocket_connect(message)
            case "websocket.receive":
                await self._handle_message(message)
            case "websocket.disconnect":
                raise StopConsumer

    # --- connecting and leaving ------------------------------------------------------------------

    async def connect(self) -> None:
        if socket_auth.origin_verdict(self.scope) == "foreign":
            # Before accepting, so that its page can't read anything. All others are rejected after accepting,
            # because browsers don't reveal why a handshake failed.
            await refuse_handshake(self.scope, self.base_send, ChatError("foreign_origin"))
            raise StopConsumer
        spoken = protocol.choose_subprotocol(offered := self.scope.get("subprotocols", []))
        await self.accept(spoken)
        extension = self.scope.get("extensions", {}).get(FRAME_EXTENSION)
        self.send_buffer = (
            DirectSendBuffer(extension)
            if extension
            else QueuedSendBuffer(self.base_send, self._give_up)
        )
        self.write = self.send_buffer.put
        self.engine = engine.current()
        with self._rejecting():
            address = client_address(self.scope)
            self._addresses = take_places(self.engine.addresses, address)
            if offered and spoken != protocol.SUBPROTOCOL:
                self._ask_to_upgrade(spoken)
            elif socket_auth.sends_token_later(self.scope):
                self._first_frame = asyncio.get_running_loop().call_later(
                    FIRST_FRAME_SECONDS, self._reject, ChatError("unauthenticated")
                )
            else:
                await self._authenticate()

    @contextmanager
    def _rejecting(self) -> Iterator[None]:
        """Close the socket after an error in it, because it could not be accepted."""
        try:
            yield
        except ChatError as chat_error:
            self._reject(chat_error)
        except DATABASE_ERRORS as error:
            logger.warning("A WebSocket could not be accepted: %s", type(error).__name__)
            self._reject(ChatError("unavailable", retry_after=1))
        except Exception:
            logger.exception("A WebSocket could not be accepted")
            self._reject(ChatError("server_error"))

    def _reject(self, error: ChatError) -> None:
        self.send_buffer.close(close_code(error), self._error_frames(error))

    async def _handle_first_frame(self, deadline: asyncio.TimerHandle, frame: Any) -> None:
        deadline.cancel()
        self._first_frame = None
        with self._rejecting():
            parsed = protocol.parse(frame.get("text"), frame.get("bytes"))
            if not isinstance(parsed, protocol.Auth):
                raise ChatError("unauthenticated")
            await self._authenticate(parsed.token)

    def _ask_to_upgrade(self, spoken: str | None) -> None:
        """Close the socket of a client of another version. With this code, open pages of the former version
        offer to reload."""
        with translation.override(socket_auth.language(self.scope)):
            if spoken:
                detail = gettext("Chatty was updated. Reload the page or update your app.")
            else:
                detail = gettext("Your app doesn’t support the version of this server.")
            frame = protocol.UpgradeFrame(subprotocols=[protocol.SUBPROTOCOL], detail=detail)
        self.send_buffer.close(protocol.CLOSE_BAD_CLIENT, EncodedFrames.of(frame))

    async def _authenticate(self, first_token: str | None = None) -> None:
        relay = self.engine.relay
        # Before reading, with frames held back in the send buffer. In the reverse order, changes between
        # reading and registering would be lost.
        relay.expect(self)
        arrival = await self.engine.batches.run(read_arrival, self.scope, first_token)
        self.identity = arrival.identity
        user = self.identity.user
        self.language = user.language
        require_spare_socket(len(relay.sockets_of(user.pk)))
        self.user_id, self.name, self.sid = user.pk, user.name, self.identity.sid
        relay.register(self, clock=user.clock)
        if self.is_stale:
            relay.recheck(user.pk)  # the session may have ended since it was read
        conversations = await self.join(user, arrival)
        hello = HelloFrame(
            user=person_to_wire(user),
            epoch=await self.engine.epoch(),
            build=build_id(),
            heartbeat=protocol.HEARTBEAT_SECONDS,
            conversations=conversations,
            limits=Limits.now(),
            quiet_hours=user.quiet_hours,
        )
        self.send_buffer.release(EncodedFrames.of(hello))
        self.engine.presence.add_socket(self)
        self.engine.read_marks.add_socket(self)
        self._expiry.start(self.identity)

    async def join(self, user: User, arrival: Arrival) -> list[ConversationOut]:
        """Add this socket to the rooms of its user's conversations. Returns the latest conversations, for
        `hello`."""
        rows, versions = arrival.rows, arrival.versions
        for _ in range(MEMBERSHIP_READS - 1):
            if not self.is_stale:
                break
            self.is_stale = False
            rows, versions = await self.engine.threads.run(read_rooms, user)
        delivered = self.engine.relay.join(self, versions)
        if self.is_stale:
            self.engine.relay.recheck(user.pk)
        return [
            row if row.version >= delivered[row.id] else replace(row, version=delivered[row.id])
            for row in rows
        ]

    def _leave(self) -> None:
        self._expiry.cancel()
        if self._first_frame is not None:
            self._first_frame.cancel()
        for task in self._tasks:
            task.cancel()
        if self._addresses:
            release_places(self.engine.addresses, self._addresses)
        if hasattr(self, "send_buffer"):
            self.send_buffer.stop()
            self.engine.relay.unregister(self)

    def _give_up(self) -> None:
        """End this socket's task, because nothing more can be sent to the client."""
        if not self._over and self._main is not None:
            self._over = True
            self._main.cancel()

    # --- rooms.Socket --------------------------------------------------------------------------------

    write: Callable[[EncodedFrames], None]  # is send_buffer.put, which saves a call per delivery

    def end(self, code: int) -> None:
        self.send_buffer.close(code)

    # --- frames from the client ----------------------------------------------------------------------

    async def _handle_message(self, message: dict[str, Any]) -> None:
        """Handle a frame. Errors are sent to the client; the socket stays open unless there are too many."""
        text = message.get("text")
        if self.send_buffer.closing:
            return  # rejected or signed out: ignore frames that still arrive
        if self._first_frame is not None:
            await self._handle_first_frame(self._first_frame, message)
            return
        try:
            if not await self._is_within_limit():
                return
            await self._handle(protocol.parse(text, message.get("bytes")))
        except ChatError as chat_error:
            self._write_error(chat_error, **protocol.frame_address(text))
            is_bad = chat_error.code in ("bad_frame", "too_big")
            if is_bad and self._client_limits.note_bad_frame(time.monotonic()):
                self.end(protocol.CLOSE_BAD_CLIENT)
        except DATABASE_ERRORS as error:
            # Doesn't count as a failure: the client can retry when the database is back.
            logger.warning("A frame could not be handled: %s", type(error).__name__)
            self._write_error(
                ChatError("unavailable", retry_after=1), **protocol.frame_address(text)
            )
        except Exception:
            logger.exception("A frame could not be handled")
            self._write_error(ChatError("server_error"), **protocol.frame_address(text))
            if self._client_limits.note_failure():
                self.end(protocol.CLOSE_INTERNAL)

    async def _is_within_limit(self) -> bool:
        """Apply the rate limit. Returns whether to handle the frame; if not, the socket is closed.

        A client that exceeds the limit is warned, and its frame is handled after a pause. The server reads
        no further frames from the socket in this time. If the client exceeds the limit again soon
        afterwards, its socket is closed.
        """
        try:
            limiter.check_local("frames", str(self.user_id))
        except ChatError:
            if self._client_limits.note_too_fast(time.monotonic()):
                last_frames = ChatError("slow_down", retry_after=RETURN_SECONDS)
                self.send_buffer.close(protocol.CLOSE_SLOW_DOWN, self._error_frames(last_frames))
                return False
            self._write_error(ChatError("slow_down", retry_after=PAUSE_SECONDS))
            await asyncio.sleep(PAUSE_SECONDS)
        return not self.send_buffer.closing

    def _write_error(self, error: ChatError, **about: Any) -> None:
        self.write(self._error_frames(error, **about))

    def _error_frames(self, error: ChatError, **about: Any) -> EncodedFrames:
        """Return an error frame in the user's language."""
        with translation.override(self.language or socket_auth.language(self.scope)):
            return EncodedFrames.of(protocol.ErrorFrame.of(error, **about))

    async def _handle(self, frame: protocol.ClientFrame) -> None:
        match frame:
            case protocol.Send():
                await self._send_message(frame)
            case protocol.Read():
                self._note_read(frame)
            case protocol.Typing():
                self._publish_typing(frame.conversation)
            case protocol.Sync():
                await self._sync(frame)
            case protocol.Auth():
                await self._renew(frame.token)
            case protocol.Ping():
                self.write(protocol.PONG)

    async def _send_message(self, frame: protocol.Send) -> None:
        """Render a message and queue it for the writer. The client gets the answer after the commit.

        Long or complex messages are rendered in a thread. The socket's next frame is not read before, so
        messages stay in order.
        """
        draft = Draft(self.user_id, frame.conversation, frame.key, Content.within(frame))
        if markdown.is_quick(frame.body):
            draft = actions.render_draft(draft)
        else:
            draft = await self.engine.threads.run(actions.render_draft, draft)
        self.engine.writer.offer(draft, partial(self._answer_send, frame))

    def _answer_send(self, frame: protocol.Send, result: Result) -> None:
        if isinstance(result, ChatError):
            self._write_error(result, key=frame.key, conversation=frame.conversation)
            return
        message = result.message
        answer = protocol.SentFrame(
            key=frame.key,
            conversation=message.conversation_id,
            id=message.pk,
            seq=message.seq,
            version=message.version,
        )
        self._answers.append(protocol.encode(answer))
        if len(self._answers) == 1:
            # A commit answers several messages: collect the answers and write them at once.
            asyncio.get_running_loop().call_soon(self._write_answers)

    def _write_answers(self) -> None:
        answers, self._answers = self._answers, []
        self.write(EncodedFrames(*answers))

    def _note_read(self, frame: protocol.Read) -> None:
        """Save a read mark. If several arrive in a row, only the last one of each conversation is saved."""
        self._reads[frame.conversation] = max(self._reads.get(frame.conversation, 0), frame.seq)
        if not self._reading:
            self._reading = True
            task = asyncio.create_task(self._write_reads())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _write_reads(self) -> None:
        try:
            while self._reads:
                conversation, seq = self._reads.popitem()
                try:
                    await self.engine.threads.run(
                        actions.mark_read, self.identity.user, conversation, seq
                    )
                except ChatError as error:
                    self._write_error(error, conversation=conversation)
        except Exception:
            logger.exception("A read mark could not be stored")
        finally:
            self._reading = False

    def _publish_typing(self, conversation_id: int) -> None:
        if conversation_id not in self.rooms:
            raise ChatError("not_found")
        if not self._client_limits.note_typing(conversation_id, time.monotonic()):
            return
        frame = protocol.TypingFrame(conversation_id, protocol.Typist(self.user_id, self.name))
        publisher.publish(EphemeralEvent(conversation_id, protocol.encode(frame)))

    async def _sync(self, frame: protocol.Sync) -> None:
        page = await self.engine.threads.run(
            read_changes, self.identity.user, frame.conversation, frame.version
        )
        self.write(EncodedFrames(page.text))

    async def _renew(self, token: str) -> None:
        try:
            self.identity = await self.engine.threads.run(socket_auth.renew, token, self.identity)
        except ChatError as error:
            # The socket stays open until the old token expires.
            self._write_error(error)
            return
        self._expiry.start(self.identity)
