"""One device of one person: a complete client according to docs/protocol.md.

It tracks a position per conversation, requests missing events, stores outgoing messages until they
are acknowledged, retries them with the same key, and reconnects after every disconnection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from proof import files, rest
from proof.history import History, Saying

Frame = dict[str, Any]

HOLE_SECONDS = 1.0  # after which a gap is requested by sync
ANSWER_SECONDS = 4.0  # after which an unanswered frame is sent again
BACK_OFF_MAX = 4.0
FAST_BACK_OFF = 0.5


@dataclass(eq=False)
class Person:
    id: int
    name: str
    token: str


@dataclass
class View:
    """The state of a conversation on this device."""

    position: int = 0
    messages: dict[int, Frame] = field(default_factory=dict)
    quoting: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    ahead: set[int] = field(default_factory=set)
    hole_since: float | None = None
    asked_at: float = 0.0  # when the missing part was last requested
    reloading: bool = False

    def show(self, message: Frame) -> None:
        known = self.messages.get(message["id"])
        if known is not None and known["version"] >= message["version"]:
            return
        self.messages[message["id"]] = message
        for pk in self.quoting[message["id"]]:
            self._requote(self.messages[pk], message)
        if quoted := message["reply_to"]:
            self.quoting[quoted["id"]].add(message["id"])
            if original := self.messages.get(quoted["id"]):
                self._requote(message, original)

    @staticmethod
    def _requote(message: Frame, original: Frame) -> None:
        """Update a quote from the quoted message: the server sends no new version of the quoting one."""
        quoted = message["reply_to"]
        if quoted is not None and quoted["version"] < original["version"]:
            shown = {name: original[name] for name in ("version", "author", "excerpt")}
            message["reply_to"] = {**quoted, **shown, "deleted": original["deleted_at"] is not None}

    def move_to(self, version: int) -> None:
        self.position = max(self.position, version)
        while self.position + 1 in self.ahead:
            self.position += 1
        self.ahead = {version for version in self.ahead if version > self.position}
        self.hole_since = (self.hole_since or time.monotonic()) if self.ahead else None


@dataclass
class _Stream:
    """What one socket received of one conversation. `reach`: no version up to here is missing."""

    last: int = 0
    reach: int | None = None


class Device:
    """Runs until its task is cancelled. `ports`: each connection uses a random one of them."""

    def __init__(
        self,
        person: Person,
        name: str,
        ports: list[int],
        history: History,
        rng: random.Random,
    ) -> None:
        self.person = person
        self.name = name
        self.ports = ports
        self.history = history
        self.rng = rng
        self.views: dict[int, View] = {}
        self.connections = 0
        self._outbox: dict[int, deque[Saying]] = defaultdict(deque)
        self._waiting: dict[str, Saying] = {}
        self._sent_at: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._places: dict[int, int] = defaultdict(int)
        self._socket: ClientConnection | None = None
        self._streams: dict[int, _Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hear: dict[str, Callable[[Frame], None]] = {
            "hello": self._on_hello,
            "message": self._on_message,
            "synced": self._on_synced,
            "sent": self._on_sent,
            "error": self._on_error,
            "conversation": self._on_conversation,
        }

    # --- connecting ------------------------------------------------------------------------------

    async def run(self) -> None:
        failures = 0
        while True:
            try:
                async with self._dial() as socket:
                    failures = await self._converse(socket)
            except (OSError, TimeoutError, EOFError, WebSocketException):
                pass
            finally:
                self._socket = None
            failures += 1
            longest = min(BACK_OFF_MAX, FAST_BACK_OFF * 2 ** (failures - 1))
            await asyncio.sleep(self.rng.random() * longest)

    def _dial(self) -> connect:
        return connect(
            f"ws://127.0.0.1:{self.rng.choice(self.ports)}/ws/",
            subprotocols=[Subprotocol("chatty.v2")],
            additional_headers={"Authorization": f"Bearer {self.person.token}"},
            compression=None,
            proxy=None,
            open_timeout=8,
            close_timeout=1,
            ping_interval=None,
            max_size=None,
            max_queue=None,
        )

    async def _converse(self, socket: ClientConnection) -> int:
        """Handle all frames until the socket ends. Returns 0, the new count of failed attempts."""
        self._streams = {}
        keeper = asyncio.create_task(self._keep_asking())
        try:
            async for text in socket:
                frame = json.loads(text)
                if frame["type"] == "hello":
                    self._socket = socket
                    self.connections += 1
                if handle := self._hear.get(frame["type"]):
                    handle(frame)
        finally:
            keeper.cancel()
        return 0

    @property
    def is_connected(self) -> bool:
        return self._socket is not None

    def hang_up(self) -> None:
        """Abort the connection without a close frame, like a laptop that is closed."""
        if self._socket is not None:
            self._socket.transport.abort()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _say(self, kind: str, **fields: Any) -> None:
        """Send a frame if connected. It may be lost: only a response proves that it arrived."""
        socket = self._socket
        if socket is not None:
            self._spawn(self._write(socket, json.dumps({"type": kind, **fields})))

    @staticmethod
    async def _write(socket: ClientConnection, text: str) -> None:
        with contextlib.suppress(OSError, WebSocketException):
            await socket.send(text)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_asking(self) -> None:
        """Resend unanswered messages, and request missing events."""
        while True:
            await asyncio.sleep(0.25)
            now = time.monotonic()
            for conversation, queue in self._outbox.items():
                if queue and now - self._sent_at.get(queue[0].key, 0.0) > ANSWER_SECONDS:
                    self._flush(conversation, again=True)
            for conversation, view in self.views.items():
                if view.reloading:
                    continue
                if view.hole_since is not None and now - view.hole_since > HOLE_SECONDS:
                    self.history.counts["gaps filled"] += 1
                    self._sync(conversation, view)
                elif view.asked_at and now - view.asked_at > ANSWER_SECONDS:
                    self._sync(conversation, view)

    # --- sending ---------------------------------------------------------------------------------

    def say(
        self, conversation: int, reply_to: int | None = None, file: files.SentFile | None = None
    ) -> Saying:
        """Put a message into the outbox."""
        self._places[conversation] += 1
        saying = self._new_saying(conversation, self._places[conversation], reply_to)
        saying.file = file
        self._queue(saying)
        return saying

    async def say_by_rest(self, conversation: int) -> None:
        """Send a message by REST. Without a response it is sent again by the socket."""
        saying = self._new_saying(conversation, None)
        saying.tries = 1
        path = f"/api/conversations/{conversation}/messages/"
        try:
            status, answer = await self.call("POST", path, {"key": saying.key, "body": saying.body})
        except rest.NoAnswerError:
            self._queue(saying)
            return
        if status in (200, 201):
            self._accept(saying, answer)
        elif answer["retry"]:
            self._queue(saying)
        else:
            saying.refuse()

    async def say_with_file(self, conversation: int) -> None:
        """Upload a file, and send it once it has arrived."""
        key = uuid.UUID(int=self.rng.getrandbits(128), version=4).hex
        file = await files.upload(
            lambda: self.rng.choice(self.ports), key, self.person.token, self.rng
        )
        if file is not None and conversation in self.views:
            self.say(conversation, file=file)

    def say_again(self, saying: Saying) -> None:
        """Send a message that was acknowledged long ago again, as a restored tab might."""
        self._waiting[saying.key] = saying
        self._send(saying)

    def _new_saying(
        self, conversation: int, place: int | None, reply_to: int | None = None
    ) -> Saying:
        key = uuid.UUID(int=self.rng.getrandbits(128), version=4).hex
        body = f"{self.name} says {key[:12]}"
        saying = Saying(self.person.id, self.name, conversation, key, body, place, reply_to)
        self.history.sayings.append(saying)
        return saying

    def _queue(self, saying: Saying) -> None:
        self._outbox[saying.conversation].append(saying)
        self._waiting[saying.key] = saying
        self._flush(saying.conversation)

    def _flush(self, conversation: int, *, again: bool = False) -> None:
        """Send the first message of the queue. One at a time, so that the order is preserved."""
        queue = self._outbox[conversation]
        if not queue or self._socket is None:
            return
        saying = queue[0]
        now = time.monotonic()
        if saying.key in self._sent_at and not again:
            return
        if now < self._not_before.get(saying.key, 0.0):
            return
        self._sent_at[saying.key] = now
        self._send(saying)
        if self.rng.random() < 0.05:  # a double click
            self._send(saying)

    def _send(self, saying: Saying) -> None:
        saying.tries += 1
        fields = {"conversation": saying.conversation, "key": saying.key, "body": saying.body}
        sent = [{"upload": saying.file.upload}] if saying.file else []
        self._say("send", **fields, reply_to=saying.reply_to, files=sent)

    def _on_sent(self, frame: Frame) -> None:
        saying = self._waiting.get(frame["key"])
        if saying is None:
            return
        if saying.outcome == "ok" and (saying.id, saying.seq) != (frame["id"], frame["seq"]):
            self.history.found(
                "duplicated",
                f"{saying.key} was acknowledged as message {saying.id}, number {saying.seq}, and "
                f"again as {frame['id']}, number {frame['seq']}",
            )
        if not saying.settled:
            self._accept(saying, frame)
        self._settle(saying)

    def _accept(self, saying: Saying, answer: Frame) -> None:
        saying.accept(id=answer["id"], seq=answer["seq"], version=answer["version"])
        self.history.acknowledged += 1

    def _on_error(self, frame: Frame) -> None:
        saying = self._waiting.get(frame.get("key", ""))
        self.history.counts[f"answered {frame['code']}"] += 1
        if saying is None or saying.settled:
            return
        if frame["retry"]:
            pause = min(1.0, float(frame.get("retry_after", 0.5)))
            self._not_before[saying.key] = time.monotonic() + pause / 2
            self._spawn(self._flush_later(saying.conversation, pause))
        else:
            saying.refuse()
            self._settle(saying)

    async def _flush_later(self, conversation: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._flush(conversation, again=True)

    def _settle(self, saying: Saying) -> None:
        queue = self._outbox[saying.conversation]
        if saying in queue:
            queue.remove(saying)
        self._flush(saying.conversation)

    @property
    def unsettled(self) -> int:
        return sum(len(queue) for queue in self._outbox.values())

    # --- receiving -------------------------------------------------------------------------------

    def _on_hello(self, frame: Frame) -> None:
        listed = {row["id"]: row["version"] for row in frame["conversations"]}
        for conversation in self.views.keys() - listed.keys():
            del self.views[conversation]
        for conversation, version in listed.items():
            self._streams[conversation] = _Stream(reach=version)
            self._catch_up(conversation, version)
        self._sent_at.clear()
        for conversation in list(self._outbox):
            self._flush(conversation)

    def _on_conversation(self, frame: Frame) -> None:
        conversation = frame["conversation"]["id"]
        self._streams.pop(conversation, None)  # each stay has its own stream
        if frame["change"] in ("removed", "deleted"):
            self.views.pop(conversation, None)
        else:
            self._catch_up(conversation, frame["conversation"]["version"])

    def _on_message(self, frame: Frame) -> None:
        conversation, version = frame["conversation"], frame["version"]
        self.history.saw(self.person.id, conversation, frame["message"], self.name)
        self._check_stream(conversation, version)
        view = self.views.get(conversation)
        if view is None:
            return  # "added" follows, and leads to a sync of the whole conversation
        view.show(frame["message"])
        if version > view.position:
            view.ahead.add(version)
        view.move_to(view.position)

    def _check_stream(self, conversation: int, version: int) -> None:
        """Check the live messages of one socket: each version once, in order, without gaps."""
        stream = self._streams.setdefault(conversation, _Stream())
        where = f"{self.name} in conversation {conversation}: version {version}"
        if version == stream.last:
            self.history.suspect(
                conversation,
                self.person.id,
                "duplicated",
                f"{where} was received twice on one socket",
            )
        elif version < stream.last:
            self.history.suspect(
                conversation,
                self.person.id,
                "reordered",
                f"{where} was received after {stream.last}",
            )
        elif stream.reach is not None and version > stream.reach + 1:
            self.history.suspect(
                *(conversation, self.person.id, "reordered"),
                f"{where} was received directly after {stream.reach}",
            )
        stream.last = version
        stream.reach = max(stream.reach or 0, version)

    def _on_synced(self, frame: Frame) -> None:
        conversation = frame["conversation"]
        for message in frame["messages"]:
            self.history.saw(self.person.id, conversation, message, f"{self.name} (synced)")
        stream = self._streams.get(conversation)
        if stream is not None and stream.reach is not None:
            stream.reach = max(stream.reach, frame["version"])
        view = self.views.get(conversation)
        if view is None:
            return
        for message in frame["messages"]:
            view.show(message)
        if frame["reset"]:
            self._reload(conversation, view)
        elif frame["from"] <= view.position:
            view.asked_at = 0.0
            view.move_to(frame["version"])
            if frame["more"]:
                self._sync(conversation, view)

    def _catch_up(self, conversation: int, version: int) -> None:
        view = self.views.setdefault(conversation, View())
        if version != view.position:
            self._sync(conversation, view)

    def _sync(self, conversation: int, view: View) -> None:
        view.asked_at = time.monotonic()
        if view.hole_since is not None:
            view.hole_since = view.asked_at
        self._say("sync", conversation=conversation, version=view.position)

    def trespass(self, conversation: int) -> None:
        """Request a conversation that this person may not be a member of."""
        self._say("sync", conversation=conversation, version=0)

    def _reload(self, conversation: int, view: View) -> None:
        if not view.reloading:
            view.reloading = True
            self.history.counts["reloads"] += 1
            self._spawn(self._load_pages(conversation, view))

    async def _load_pages(self, conversation: int, view: View) -> None:
        """Load the whole conversation by REST, newest page first, after a sync that was too far behind."""
        try:
            before, position = "", None
            while True:
                path = f"/api/conversations/{conversation}/messages/?limit=100{before}"
                status, page = await self.call("GET", path)
                if status != 200:
                    return  # removed in the meantime, or retried after the next sync
                position = page["position"] if position is None else position
                for message in page["messages"]:
                    self.history.saw(self.person.id, conversation, message, f"{self.name} (REST)")
                    view.show(message)
                if not page["has_older"]:
                    break
                before = f"&before={page['messages'][0]['seq']}"
            view.asked_at = 0.0
            view.move_to(position)
        except rest.NoAnswerError:
            pass  # the next sync returns reset again
        finally:
            view.reloading = False

    # --- REST --------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        port = self.rng.choice(self.ports)
        return await rest.call(port, method, path, body, token=self.person.token)
