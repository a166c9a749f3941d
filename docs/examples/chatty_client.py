"""A client for Chatty in one file: copy it, and build on it.

It follows docs/protocol.md: it stays signed in, reconnects, keeps an up-to-date copy of your conversations,
and sends every message exactly once, even if this program is killed in between. It needs Python 3.11 and
`websockets`. To try it:

    CHATTY=http://127.0.0.1:8000 EMAIL=... PASSWORD=... python chatty_client.py

To use it, subclass Client and override the methods that begin with "on_".
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

Json = dict[str, Any]

SUBPROTOCOL = Subprotocol("chatty.v2")
# What to do after a close code; after all others: "reconnect".
AFTER_CLOSE = {
    1009: "stop",
    4001: "stop",
    4400: "stop",
    4401: "renew",
    4403: "stop",
    4409: "stop",
    4429: "wait",
}
SILENCE_SECONDS = 60.0  # without any frame; then the connection is dead
GAP_SECONDS = 1.0  # for which versions may be missing before they are requested
ANSWER_SECONDS = 5.0  # after which a frame without a response is sent again
TICK_SECONDS = 0.25
NO_ANSWER = (OSError, http.client.HTTPException)  # of REST: the outcome is unknown


class ApiError(Exception):
    """An error response. `body`: {"code", "detail", "fields", "retry"[, "retry_after"]}."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status} {body['code']}: {body['detail']}")
        self.status = status
        self.code: str = body["code"]
        self.retry: bool = body["retry"]
        self.body = body


class StoppedError(Exception):
    """Reconnecting doesn't help: the session was ended, for example. See the close code."""

    def __init__(self, code: int, error: Json | None) -> None:
        super().__init__(f"closed with {code}: {error['detail'] if error else 'no reason given'}")
        self.code = code


def request(url: str, method: str, body: Any = None, token: str = "") -> Any:
    """Send a request and return the decoded response. Raises ApiError, or NO_ANSWER."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        asked = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=10) as response:
            content = response.read()
    except urllib.error.HTTPError as error:
        try:
            raise ApiError(error.code, json.load(error)) from None
        except (ValueError, TypeError, KeyError):
            raise error from None  # from a proxy, which doesn't speak JSON
    return json.loads(content) if content else None


# --- staying signed in -----------------------------------------------------------------------------


class Tokens:
    """The tokens of this program. All its parts get their access token from here.

    `path`: a file for the pair, so that a restart doesn't sign in again.
    """

    def __init__(self, server: str, email: str, password: str, path: Path | None = None) -> None:
        self._server = server
        self._account = {"email": email, "password": password}
        self._path = path
        self._pair: Json = {}
        self._refresh_at = 0.0  # by time.time()
        self._lock = asyncio.Lock()
        if path is not None and path.exists():
            self._use(json.loads(path.read_text()))

    async def access(self) -> str:
        """Return an access token. Raises ApiError if the account can't sign in, or NO_ANSWER."""
        async with self._lock:
            if time.time() >= self._refresh_at:
                await self._renew()
            return str(self._pair["access"])

    def expire(self) -> None:
        """Get a new pair next time, because the server has rejected this one."""
        self._refresh_at = 0.0

    async def _renew(self) -> None:
        if self._pair:
            for pause in (1, 2, 4, 0):
                try:
                    self._keep(await self._post("refresh/", {"refresh": self._pair["refresh"]}))
                except ApiError as error:
                    if error.status != 401:
                        raise
                    break  # the session has ended
                except NO_ANSWER:
                    if not pause:
                        raise
                    await asyncio.sleep(pause)  # the same token returns the same pair
                else:
                    return
        self._keep(await self._post("", self._account))

    async def _post(self, path: str, body: Json) -> Json:
        url = f"{self._server}/api/token/{path}"
        pair: Json = await asyncio.to_thread(request, url, "POST", body)
        return pair

    def _keep(self, pair: Json) -> None:
        if self._path is not None:  # before it is used
            write_file(self._path, pair)
        self._use(pair)

    def _use(self, pair: Json) -> None:
        self._pair = pair
        claims = json.loads(base64.urlsafe_b64decode(pair["access"].split(".")[1] + "=="))
        # Earlier than `auth_expiring`, which is sent half-way at the earliest.
        self._refresh_at = claims["iat"] + (claims["exp"] - claims["iat"]) * 0.4


def write_file(path: Path, content: Any) -> None:
    """Replace a file, which only this user can read, at once."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


# --- a conversation --------------------------------------------------------------------------------


class Room:
    """A copy of a conversation. Events can arrive late, twice, in any order, or not at all.

    `position`: every change up to this version is known. `head`: the highest version that has been seen.
    """

    def __init__(self) -> None:
        self.position = self.head = 0
        self.messages: dict[int, Json] = {}
        self._ahead: set[int] = set()  # versions received beyond the next one
        self._quotes: dict[int, Json] = {}  # the newest known quote of each quoted message
        self._quoting: dict[int, set[int]] = {}  # quoted message -> messages that quote it

    @property
    def is_behind(self) -> bool:
        return self.head > self.position

    def apply_message(self, frame: Json) -> bool:
        """Apply a `message` frame. Returns whether this version of the message is new."""
        self._ahead.add(frame["version"])
        self._move_to(self.position)
        return self.show(frame["message"])

    def apply_synced(self, frame: Json) -> list[Json]:
        """Apply a `synced` frame without `reset`. Returns the messages that were new or changed."""
        self.head = max(self.head, frame["version"])
        if frame["from"] <= self.position:
            self._move_to(frame["version"])
        return [message for message in frame["messages"] if self.show(message)]

    def replace(self, page: Json) -> None:
        """Start again from the latest page of history, after a `reset`."""
        later = [each for each in self.messages.values() if each["version"] > page["position"]]
        ahead, self.messages, self._quotes, self._quoting = self._ahead, {}, {}, {}
        self._ahead, self.position, self.head = set(ahead), 0, 0
        self._move_to(page["position"])
        self.add([*page["messages"], *later])

    def add(self, messages: Iterable[Json]) -> None:
        """Show messages of a page. They don't move the position: others may have changed before."""
        for message in messages:
            self.show(message)

    def show(self, message: Json) -> bool:
        """Show a message, unless this or a newer version is known. Returns whether it was new."""
        self.head = max(self.head, message["version"])
        known = self.messages.get(message["id"])
        if known is not None and known["version"] >= message["version"]:
            return False
        message = self.messages[message["id"]] = dict(message)
        if quoted := message["reply_to"]:
            self._quoting.setdefault(quoted["id"], set()).add(message["id"])
            if original := self.messages.get(quoted["id"]):
                self._learn(quote_of(original))
            message["reply_to"] = self._learn(quoted)
        if message["id"] in self._quotes:
            self._learn(quote_of(message))
        return True

    def _learn(self, quote: Json) -> Json:
        """Use the newest quote of a message everywhere, and return it."""
        newest = self._quotes.get(quote["id"])
        if newest is not None and newest["version"] >= quote["version"]:
            return newest
        self._quotes[quote["id"]] = quote
        for number in self._quoting.get(quote["id"], ()):
            if self.messages[number]["reply_to"]:  # a deleted message quotes nothing
                self.messages[number]["reply_to"] = quote
        return quote

    def _move_to(self, version: int) -> None:
        self.position = max(self.position, version)
        while self.position + 1 in self._ahead:
            self.position += 1
        self._ahead = {version for version in self._ahead if version > self.position}
        self.head = max(self.head, self.position, *self._ahead)


def quote_of(message: Json) -> Json:
    quote = {name: message[name] for name in ("id", "seq", "version", "author", "excerpt")}
    return {**quote, "deleted": message["deleted_at"] is not None}


# --- unsent messages -------------------------------------------------------------------------------


class UnsentMessages:
    """Messages until they are acknowledged, in order. `path`: a file, to survive a crash."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.entries: dict[str, Json] = {}  # by key
        self._asked_at: dict[str, float] = {}
        if path is not None and path.exists():
            self.entries = {entry["key"]: entry for entry in json.loads(path.read_text())}

    def add(self, entry: Json) -> None:
        self.entries[entry["key"]] = entry
        self._save()

    def remove(self, key: str) -> Json | None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self._asked_at.pop(key, None)
            self._save()
        return entry

    def take_due(self, now: float) -> list[Json]:
        """Return what to send: the first of each conversation, so that the order survives errors."""
        first: dict[int, Json] = {}
        for entry in self.entries.values():
            first.setdefault(entry["conversation"], entry)
        due = [each for each in first.values() if now >= self._asked_at.get(each["key"], 0.0)]
        self._asked_at.update((entry["key"], now + ANSWER_SECONDS) for entry in due)
        return due

    def wait(self, key: str, until: float) -> None:
        if key in self.entries:
            self._asked_at[key] = until

    def retry_all(self) -> None:
        """Send everything again, on a new connection."""
        self._asked_at.clear()

    def _save(self) -> None:
        if self._path is not None:
            write_file(self._path, list(self.entries.values()))


# --- the connection --------------------------------------------------------------------------------


class Client:
    """`history_pages`: how much history to load if it is too far behind to be synchronised."""

    def __init__(
        self,
        server: str,
        tokens: Tokens,
        unsent: UnsentMessages | None = None,
        history_pages: int = 1,
    ) -> None:
        self.server = server
        self.tokens = tokens
        self.unsent = unsent or UnsentMessages()
        self.history_pages = history_pages
        self.rooms: dict[int, Room] = {}
        self.user: Json = {}
        self._epoch = ""
        self._lists_all = True  # `hello` lists only the latest 200 conversations
        self._socket: ClientConnection | None = None
        self._asked_at: dict[int, float] = {}  # conversation -> when `sync` was sent
        self._gap_since: dict[int, float] = {}
        self._last_error: Json | None = None
        self._failures = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def on_message(self, conversation: int, message: Json, change: Json | None) -> None:
        """A message is new or has changed. `change`: what happened, unless it was missed."""

    def on_sent(self, entry: Json, frame: Json) -> None:
        """A message is stored."""

    def on_refused(self, entry: Json, error: Json) -> None:
        """A message can't be sent. It is not in the outbox any more."""

    @property
    def is_connected(self) -> bool:
        return self._socket is not None

    def send(self, conversation: int, body: str, reply_to: int | None = None, key: str = "") -> str:
        """Put a message into the outbox; return its key. The same key is never stored twice."""
        key = key or uuid.uuid4().hex
        about = {"conversation": conversation, "key": key, "body": body, "reply_to": reply_to}
        self.unsent.add(about)
        self._send_due()
        return key

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a REST request. Raises ApiError, or NO_ANSWER: repeat it only if that is harmless."""
        token = await self.tokens.access()
        return await asyncio.to_thread(request, self.server + path, method, body, token)

    async def run(self) -> None:
        """Stay connected. Raises StoppedError, or ApiError if the account can't sign in."""
        lost_at = time.monotonic()
        while True:
            connected = False
            action = "reconnect"
            try:
                async with await self._open() as socket:
                    connected = True
                    await self._listen(socket)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                action = AFTER_CLOSE.get(code, "reconnect")
                if action == "stop":
                    raise StoppedError(code, self._last_error) from None
            except ApiError as error:
                if not error.retry:
                    raise  # the account can't sign in
                action, self._last_error = "wait", error.body
            except (*NO_ANSWER, WebSocketException, EOFError):
                pass
            finally:
                self._socket = None
            if connected and not self._failures:
                lost_at = time.monotonic()
            if action == "renew":
                self.tokens.expire()
            await asyncio.sleep(self._pause(action, time.monotonic() - lost_at))

    def _pause(self, action: str, lost_seconds: float) -> float:
        if action == "wait":
            return float((self._last_error or {}).get("retry_after", 30))
        longest: float = min(0.5 * 2**self._failures, 4 if lost_seconds < 60 else 30)
        self._failures = min(self._failures + 1, 10)
        return random.random() * longest

    async def _open(self) -> connect:
        token = await self.tokens.access()
        return connect(
            self.server.replace("http", "ws", 1) + "/ws/",
            subprotocols=[SUBPROTOCOL],
            additional_headers={"Authorization": f"Bearer {token}"},
            compression=None,
            max_size=None,
        )

    async def _listen(self, socket: ClientConnection) -> None:
        self._last_error = None
        self._asked_at.clear()
        ticking = asyncio.create_task(self._tick())
        try:
            while True:
                text = await asyncio.wait_for(socket.recv(), SILENCE_SECONDS)
                frame = json.loads(text)
                if frame["type"] == "hello":
                    self._socket = socket
                self.handle(frame)
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        """Request versions that are missing for too long, and resend what has no response."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            self._send_due()
            for number, room in self.rooms.items():
                if not room.is_behind:
                    self._gap_since.pop(number, None)
                    continue
                since = self._gap_since.setdefault(number, now)
                asked = self._asked_at.get(number, -ANSWER_SECONDS)
                if now - since >= GAP_SECONDS and now - asked >= ANSWER_SECONDS:
                    self._sync(number)

    def handle(self, frame: Json) -> None:
        """Handle a frame. Unknown types are ignored: newer servers have more of them."""
        match frame["type"]:
            case "hello":
                self._start(frame)
            case "message":
                self._hear(frame)
            case "synced":
                self._catch_up(frame)
            case "conversation":
                self._change_membership(frame)
            case "sent":
                if entry := self.unsent.remove(frame["key"]):
                    self.on_sent(entry, frame)
                self._send_due()
            case "error":
                self._last_error = frame
                self._handle_error(frame)
            case "auth_expiring":
                self._spawn(self._send_token())

    def _start(self, hello: Json) -> None:
        self.user = hello["user"]
        self._failures = 0
        if hello["epoch"] != self._epoch:  # a backup was restored: versions have other contents
            self._epoch = hello["epoch"]
            self.rooms.clear()
        self._lists_all = len(hello["conversations"]) < 200
        if self._lists_all:
            listed = {row["id"] for row in hello["conversations"]}
            self.rooms = {pk: room for pk, room in self.rooms.items() if pk in listed}
        for row in hello["conversations"]:
            self._enter(row)
        self.unsent.retry_all()
        self._send_due()

    def _enter(self, row: Json) -> None:
        room = self.rooms.setdefault(row["id"], Room())
        if row["version"] != room.position:
            self._sync(row["id"])

    def _change_membership(self, frame: Json) -> None:
        if frame["change"] in ("removed", "deleted"):
            self.rooms.pop(frame["conversation"]["id"], None)
        else:
            self._enter(frame["conversation"])

    def _hear(self, frame: Json) -> None:
        if not self._lists_all:
            self.rooms.setdefault(frame["conversation"], Room())
        room = self.rooms.get(frame["conversation"])
        if room is not None and room.apply_message(frame):
            self.on_message(frame["conversation"], frame["message"], frame["change"])

    def _catch_up(self, frame: Json) -> None:
        number = frame["conversation"]
        room = self.rooms.get(number)
        if room is None:
            return
        self._asked_at.pop(number, None)
        if frame["reset"]:
            self._spawn(self._reload(number, room))
            return
        for message in room.apply_synced(frame):
            self.on_message(number, message, None)
        if frame["more"]:
            self._sync(number)

    async def _reload(self, number: int, room: Room) -> None:
        """Load history by REST: the position is that of the first page, which is the latest."""
        path, before = f"/api/conversations/{number}/messages/?limit=100", ""
        with contextlib.suppress(*NO_ANSWER, ApiError):  # the next `synced` resets it again
            for count in range(self.history_pages):
                page = await self.call("GET", path + before)
                if count:
                    room.add(page["messages"])
                else:
                    room.replace(page)
                for message in page["messages"]:
                    self.on_message(number, message, None)
                if not page["has_older"]:
                    return
                before = f"&before={page['messages'][0]['seq']}"

    def _handle_error(self, error: Json) -> None:
        key = error.get("key", "")
        if error["retry"]:
            pause = max(0.5, error.get("retry_after", 0.5))
            self.unsent.wait(key, time.monotonic() + pause)
        elif entry := self.unsent.remove(key):
            self.on_refused(entry, error)
            self._send_due()

    def _send_due(self) -> None:
        if self._socket is not None:
            for entry in self.unsent.take_due(time.monotonic()):
                self.say("send", **entry)

    def _sync(self, number: int) -> None:
        self._asked_at[number] = time.monotonic()
        self.say("sync", conversation=number, version=self.rooms[number].position)

    async def _send_token(self) -> None:
        with contextlib.suppress(*NO_ANSWER, ApiError):
            self.say("auth", token=await self.tokens.access())

    def say(self, kind: str, **fields: Any) -> None:
        """Send a frame, if connected. It can be lost: only a response proves that it arrived."""
        if self._socket is not None:
            self._spawn(self._write(self._socket, json.dumps({"type": kind, **fields})))

    @staticmethod
    async def _write(socket: ClientConnection, text: str) -> None:
        with contextlib.suppress(OSError, WebSocketException):
            await socket.send(text)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the event loop itself keeps only weak references
        task.add_done_callback(self._tasks.discard)


class Printer(Client):
    def on_message(self, conversation: int, message: Json, change: Json | None) -> None:
        text = message["notice"]["text"] if message["notice"] else message["excerpt"]
        author = message["author"]["name"] if message["author"] else "Chatty"
        print(f"[{conversation}] {author}: {text}", flush=True)


async def main() -> None:
    server = os.environ["CHATTY"]
    tokens = Tokens(server, os.environ["EMAIL"], os.environ["PASSWORD"])
    await Printer(server, tokens).run()


if __name__ == "__main__":
    asyncio.run(main())
