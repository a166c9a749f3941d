"""Clients for tests: API users, and sockets that remember their frames."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import jwt
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chatty.conf.env import derive_key
from tests.cast import PASSWORD
from tests.installations import ChatServer, Person

Frame = dict[str, Any]
_numbers = itertools.count(1)


def mask_payload(payload: bytes, key: bytes) -> bytes:
    """Return the payload of a frame as a client with this key of four bytes sends it (RFC 6455, 5.3)."""
    pad = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(pad)).to_bytes(len(payload))


class Member(Person):
    """A Person who knows their id and refresh token, and can chat."""

    id: int = 0
    refresh: str = ""

    def sign_in(self) -> Member:
        status, pair = self.call("POST", "/api/token/", {"email": self.email, "password": PASSWORD})
        assert status == 200, pair
        self.token, self.refresh = pair["access"], pair["refresh"]
        self.id = self.ask("GET", "/api/me/")["id"]
        return self

    def again(self, server: ChatServer | None = None) -> Member:
        """Return the same person signed in once more, as on another device (or at another server)."""
        return Member(server or self.server, self.name).sign_in()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the response of the API; any error fails the test."""
        status, answer = self.call(method, path, body)
        assert status < 300, (method, path, status, answer)
        return answer

    def create_conversation(self, *members: Member, **about: Any) -> int:
        """Create a group with these members and return its id."""
        body = {"name": "Tea", "members": [member.id for member in members], **about}
        return int(self.ask("POST", "/api/conversations/", body)["id"])

    def post_message(self, conversation: int, body: str, key: str | None = None) -> Frame:
        """Send a message through the API and return it."""
        path = f"/api/conversations/{conversation}/messages/"
        text: Frame = self.ask("POST", path, {"key": key or new_key(), "body": body})
        return dict(text.get("message", text))

    def read_messages(self, conversation: int) -> list[Frame]:
        """Return every message of a conversation, including system messages, oldest first."""
        messages: list[Frame] = []
        while True:
            after = messages[-1]["seq"] if messages else 0
            path = f"/api/conversations/{conversation}/messages/?after={after}&limit=100"
            page = self.ask("GET", path)
            messages += page["messages"]
            if not page["has_newer"]:
                return messages

    def new_token(self, **changes: Any) -> str:
        """Return the access token with other claims, signed with the installation's key."""
        secret = derive_key(self.server.installation.env["SECRET_KEY"], "jwt")
        claims = jwt.decode(self.token, options={"verify_signature": False})
        return jwt.encode({**claims, **changes}, secret, algorithm="HS256")

    def cookie(self, user_agent: str = "tests") -> str:
        """Sign in with the form, as a browser does; return the Cookie header."""
        secret = uuid.uuid4().hex  # the form must repeat the cookie's value
        form = {"email": self.email, "password": PASSWORD, "csrfmiddlewaretoken": secret}
        headers = {
            "Cookie": f"chatty-csrf={secret}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.server.url,
            "User-Agent": user_agent,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("POST", "/sign-in/", urlencode(form), headers)
            answer = connection.getresponse()
            answer.read()
        assert answer.status in (302, 303), answer.status
        given = answer.headers.get_all("Set-Cookie") or []
        return "; ".join(cookie.partition(";")[0] for cookie in given)


def new_member(server: ChatServer) -> Member:
    """Register a user for tests that end sign-ins, change passwords or deactivate accounts."""
    somebody = Member(server, f"Guest{next(_numbers)}x{uuid.uuid4().hex[:6]}")
    about = {"email": somebody.email, "password": PASSWORD, "name": somebody.name}
    somebody.ask("POST", "/api/register/", about)
    return somebody.sign_in()


def new_key() -> str:
    return uuid.uuid4().hex


class Client:
    """One socket. It remembers every frame until a test takes it.

    All frames are read immediately (no back-pressure), so that a client never slows the server down.
    """

    def __init__(self, connection: websockets.sync.client.ClientConnection) -> None:
        self.connection = connection
        self.frames: list[Frame] = []

    def say(self, kind: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": kind, **fields}))

    def send(self, conversation: int, body: str, key: str | None = None, **more: Any) -> str:
        """Send a message without waiting for the response; return its key."""
        key = key or new_key()
        self.say("send", conversation=conversation, key=key, body=body, **more)
        return key

    def send_and_wait(
        self, conversation: int, body: str, key: str | None = None, **more: Any
    ) -> Frame:
        """Send a message and return the `sent` frame."""
        key = self.send(conversation, body, key, **more)
        return self.take("sent", key=key)

    def take(self, kind: str, seconds: float = 6, **wanted: Any) -> Frame:
        """Wait for the first frame of this kind with these values, remove it and return it.

        `wanted` can look inside frames: message__body="hi".
        """
        return self.take_if(f"{kind} {wanted}", lambda f: _fits(f, kind, wanted), seconds)

    def take_if(self, what: str, fits: Callable[[Frame], bool], seconds: float = 6) -> Frame:
        """Wait for the first frame that fits, remove it and return it; `what` describes it in a failure."""
        deadline = time.monotonic() + seconds
        looked = 0
        while True:
            for index, frame in enumerate(self.frames[looked:], looked):
                if fits(frame):
                    return self.frames.pop(index)
            looked = len(self.frames)
            try:
                self.listen(deadline)
            except (TimeoutError, ConnectionClosed) as error:
                heard = [(f["type"], f) for f in self.frames[-8:]]
                raise AssertionError(f"No {what} but {error!r}; heard {heard}") from None

    def expect_message(self, conversation: int, body: str, seconds: float = 6) -> Frame:
        return self.take("message", seconds, conversation=conversation, message__body=body)

    def expect_body(self, conversation: int, body: str, seconds: float = 6) -> Frame:
        """Wait for a message with this text, live or in a repair, remove the frame and return the message."""

        def found(frame: Frame) -> Iterator[Frame]:
            if frame.get("conversation") == conversation:
                for message in (frame.get("message"), *frame.get("messages", ())):
                    if message and message["body"] == body:
                        yield message

        return next(
            found(self.take_if(f"words {body!r}", lambda frame: any(found(frame)), seconds))
        )

    def received(self, kind: str | None = None, **wanted: Any) -> list[Frame]:
        """Return the frames that were not taken. A ping is a fence: all events that its process has sent
        before the pong have arrived."""
        self.say("ping")
        self.take("pong")
        return [frame for frame in self.frames if _fits(frame, kind, wanted)]

    def transcript(
        self, conversation: int, count: int, seconds: float = 20
    ) -> list[tuple[int, str]]:
        """Return (seq, body) of the first `count` text messages, live or repaired, in order of arrival.

        Asserts that no version arrives twice, or before an older one.
        """
        heard: list[tuple[int, str]] = []
        last = 0
        deadline = time.monotonic() + seconds
        while len(heard) < count:
            if not self.frames:
                self.listen(deadline)
            frame = self.frames.pop(0)
            if frame.get("conversation") != conversation:
                continue
            for message in frame.get("messages", [frame.get("message")]):
                if message is None:
                    continue
                assert message["version"] > last, (last, message)
                last = message["version"]
                if message["kind"] == "text":
                    heard.append((message["seq"], message["body"]))
        return heard

    def listen(self, deadline: float) -> None:
        """Read one more frame. Raises TimeoutError, ConnectionClosed."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.frames.append(json.loads(self.connection.recv(timeout=left)))

    def expect_nothing(self, seconds: float, kind: str | None = None, **wanted: Any) -> None:
        """Assert that no such frame arrives, where a fence cannot help."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while True:
                self.listen(deadline)
        assert [frame for frame in self.frames if _fits(frame, kind, wanted)] == []

    def close_code(self, seconds: float = 6) -> int:
        """Wait until the server closes; return the code."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.listen(deadline)
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006

    def is_open(self) -> bool:
        self.say("ping")
        return bool(self.take("pong"))

    def close(self) -> None:
        self.connection.close()


def _fits(frame: Frame, kind: str | None, wanted: Frame) -> bool:
    if kind is not None and frame["type"] != kind:
        return False
    return all(_reach(frame, path) == value for path, value in wanted.items())


def _reach(frame: Any, path: str) -> Any:
    for name in path.split("__"):
        frame = frame.get(name) if isinstance(frame, dict) else None
    return frame


def connect(
    server: ChatServer, headers: dict[str, str], *, subprotocols: Sequence[str] = ("chatty.v2",)
) -> websockets.sync.client.ClientConnection:
    return websockets.sync.client.connect(
        server.url.replace("http", "ws", 1) + "/ws/",
        subprotocols=[websockets.Subprotocol(name) for name in subprotocols] or None,
        additional_headers=headers,
        proxy=None,
        max_size=None,
        max_queue=None,
        ping_interval=None,
        close_timeout=1,
        legacy=True,
    )


def open_socket(person: Person) -> Client:
    """Return an open socket of this person; its first frame is `hello`."""
    client = Client(connect(person.server, {"Authorization": f"Bearer {person.token}"}))
    try:
        client.frames.append(client.take("hello", seconds=15))
    except AssertionError:
        client.close()
        raise
    return client


def try_connect(server: ChatServer, headers: dict[str, str]) -> str | int:
    """Return the result of a handshake with these headers: "hello", an HTTP status or a close code."""
    try:
        connection = connect(server, headers)
    except InvalidStatus as error:
        return error.response.status_code
    client = Client(connection)
    with contextlib.closing(client):
        try:
            first = json.loads(connection.recv(timeout=10))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
        if first["type"] == "hello":
            return "hello"
        assert first["type"] == "error", first
        return client.close_code()


@contextlib.contextmanager
def open_sockets() -> Iterator[Any]:
    """Gives open_socket(); all its sockets are closed at the end."""
    with contextlib.ExitStack() as stack:

        def opened(person: Person) -> Client:
            client = open_socket(person)
            stack.callback(client.close)
            return client

        yield opened
