"""ASGI in front of Django: whom to believe about the client, how much HTTP at once, where sockets go."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from django.conf import settings
from django.http import parse_cookie

from chatty.common.errors import ChatError
from chatty.conf.env import Network
from chatty.ops import metrics
from chatty.ops.health import Probe, answer
from chatty.ops.observer import Observer
from chatty.server.fair_queue import Client, Turns

log = logging.getLogger("chatty.server.admission")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[Any]]
Headers = Iterable[tuple[bytes, bytes]]

# Whoever sends these speaks about the client, so only a proxy may. Nothing behind this sees them.
_SPOKEN_BY_PROXIES = frozenset(
    {
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-ssl",
        b"x-real-ip",
        b"forwarded",
        b"daphne-root-path",
    }
)
_NO_SUCH_SOCKET = 4404
LARGE_AT_ONCE = 4
PROGRESS_BYTES = 16 * 1024  # of a body or an answer, in every HTTP_BODY_SECONDS
ANSWER_KEPT = 8 * 1024 * 1024  # bytes of one answer; the rest is sent as the client takes it
# ASGI extension: a function that ends the connection at once, whatever it still holds.
CUT_EXTENSION = "chatty.cut"


class FrontDoor:
    """Routes one connection. `on_startup`, `on_shutdown` are awaited by servers that have a lifespan.

    `probes`: what answers machines, by path; no crowd of people is ever before them in line.
    """

    def __init__(
        self,
        *,
        http: Application,
        websockets: Mapping[str, Application],
        probes: Mapping[str, Probe],
        on_startup: Callable[[], Awaitable[None]],
        on_shutdown: Callable[[], Awaitable[None]],
        trusted: Sequence[Network],
        https: bool,
    ) -> None:
        self.http = http
        self.websockets = websockets
        self.probes = probes
        self.on_startup = on_startup
        self.on_shutdown = on_shutdown
        self.trusted = trusted
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        scope = as_seen_by_proxies(scope, self.trusted)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        observer = Observer(scope, send)
        try:
            await self._http(scope, receive, observer.send)
        finally:
            observer.finish()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (probe := self.probes.get(scope["path"])) is not None:
            await probe(scope, send)
        elif self.https and "chatty.untrusted_proxy" in scope:
            # Sent on to https, which is where the browser is already, it would go round for ever.
            await refuse(scope, send, untrusted_proxy(scope["chatty.untrusted_proxy"]))
        else:
            await self.http(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        consumer = self.websockets.get(scope["path"])
        if consumer is not None:
            await consumer(scope, receive, send)
            return
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": _NO_SUCH_SOCKET})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._told(self.on_startup, "startup", send)
            else:
                await self._told(self.on_shutdown, "shutdown", send)
                return

    @staticmethod
    async def _told(deed: Callable[[], Awaitable[None]], name: str, send: Send) -> None:
        try:
            await deed()
        except Exception:
            log.exception("The engine's %s failed", name)
            await send({"type": f"lifespan.{name}.failed", "message": f"{name} failed"})
        else:
            await send({"type": f"lifespan.{name}.complete"})


def as_seen_by_proxies(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """A copy of `scope` with the client, scheme and host a trusted proxy tells of.

    From anybody else such headers are dropped. `root_path` is always empty: Daphne takes it from a
    header any client may send, and Django would cut it off the path a proxy's rules were made for.
    Names with underscores are dropped too: servers' environments mix them up with dashes.
    """
    told: dict[bytes, bytes] = {}
    headers: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        if name in _SPOKEN_BY_PROXIES:
            # Several lines of one list are one list (RFC 9110, 5.3).
            told[name] = told[name] + b"," + value if name in told else value
        elif b"_" not in name:
            headers.append((name, value))
    scope = {**scope, "headers": headers, "root_path": "", "chatty.proxied": bool(told)}
    if told and is_trusted(scope.get("client"), trusted):
        _believe(scope, told, trusted)
    elif _last(told, b"x-forwarded-proto") == b"https":
        scope["chatty.untrusted_proxy"] = (scope.get("client") or ("unknown",))[0]
    return scope


def untrusted_proxy(address: str) -> ChatError:
    detail = (
        f"A proxy at {address} says this came by https, but is not one that is trusted. "
        f"Whoever runs this Chatty: set TRUSTED_PROXIES={address}"
    )
    return ChatError("invalid", detail)


def _believe(scope: Scope, told: Mapping[bytes, bytes], trusted: Sequence[Network]) -> None:
    client = client_behind(told.get(b"x-forwarded-for", b"").decode("latin-1"), trusted)
    if client:
        scope["client"] = [client, 0]
    proto = _last(told, b"x-forwarded-proto")
    if proto in {b"http", b"https"}:
        secure = proto == b"https"
        sockets = scope["type"] == "websocket"
        scope["scheme"] = ("ws" if sockets else "http") + ("s" if secure else "")
    host = _last(told, b"x-forwarded-host")
    if host:
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [*others, (b"host", host)]


def _last(told: Mapping[bytes, bytes], name: bytes) -> bytes:
    """The nearest proxy's word: what stands further left may be the client's own."""
    return told.get(name, b"").rpartition(b",")[2].strip().lower()


def client_behind(forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The right-most address that is no proxy of ours; "" when there is none to believe."""
    for entry in reversed(forwarded_for.split(",")):
        address = parsed_address(entry.strip())
        if address is None:
            return ""
        if not any(address in network for network in trusted):
            return str(address)
    return ""


def is_trusted(client: Sequence[Any] | None, trusted: Sequence[Network]) -> bool:
    if not trusted or not client:
        return False
    address = parsed_address(str(client[0]))
    return address is not None and any(address in network for network in trusted)


def parsed_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Understands 1.2.3.4, 1.2.3.4:5678, ::1 and [::1]:5678."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class _Body:
    """A request's body on its way in, or held for a request that has not been answered."""

    def __init__(self, deadline: asyncio.Timeout) -> None:
        self.deadline = deadline
        self.size = 0
        self.arriving = False
        self.evicted = False

    def evict(self) -> None:
        self.evicted = True
        if not self.deadline.expired():
            self.deadline.reschedule(0)


class _Answer:
    """An answer that is made and not yet taken by its client. `cut` ends the connection."""

    def __init__(self, cut: Callable[[], None] | None) -> None:
        self.cut = cut
        self.size = 0
        self.dropped = False


class HttpBound:
    """At most `running` requests in Django, `waiting` more in line; then 503 with Retry-After.
    Turns says who is next.

    Django starts a thread, and so a database connection, for each request that comes: without a bound
    a crowd takes the memory and starves the sockets. A request gets in line after its body has
    arrived, and gives its place back when its answer is made, so that clients that send or read slowly
    hold no place (the latter where the server offers CUT_EXTENSION). Static files pass by: no database,
    short work.

    What is held for clients is bounded altogether, in bytes: bodies by `bodies_max`, answers nobody
    has taken yet by `answers_max`. Beyond that the largest is dropped, which is never that of someone
    who sends or reads a little. A body must bring PROGRESS_BYTES in every `body_seconds`, or end. That
    answers are read no slower than that is the connection's business (uvicorn_protocols.py).

    `large`: paths that take files, and how many bytes. Few such requests at once, since each is held
    in memory, and only ones that announce their size.
    """

    def __init__(
        self,
        application: Application,
        *,
        running: int,
        waiting: int,
        body_max: int,
        body_seconds: float,
        bodies_max: int = 32 * 1024 * 1024,
        answers_max: int = 32 * 1024 * 1024,
        large: Mapping[str, int] | None = None,
        unbound: tuple[str, ...] = ("/static/",),
    ) -> None:
        self.application = application
        self.body_max = body_max
        self.body_seconds = body_seconds
        self.bodies_max = bodies_max
        self.answers_max = answers_max
        self.large = large or {}
        self.unbound = unbound
        self._large = 0  # of those with a body beyond `body_max`, also on its way
        self._turns = Turns(running=running, waiting=waiting)
        self._bodies: set[_Body] = set()
        self._bodies_size = 0
        self._answers: set[_Answer] = set()
        self._answers_size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(self.unbound):
            await self.application(scope, receive, send)
            return
        large = announced_size(scope) > self.body_max
        self._large += large
        body = _Body(asyncio.timeout(None))
        self._bodies.add(body)
        try:
            await self._with_body(scope, receive, send, body)
        finally:
            self._large -= large
            self._drop_body(body)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send, body: _Body) -> None:
        client = client_of(scope)
        try:
            content = await self._body(scope, receive, body)
            if content is not None:
                await self._begin(client)
        except ChatError as error:
            self._drop_body(body)
            metrics.HTTP_REFUSED.labels(error.code).inc()
            await refuse(scope, send, error)
            return
        if content is None:
            return
        answer = _Answer(scope.get("extensions", {}).get(CUT_EXTENSION))
        self._answers.add(answer)
        made: deque[Message] = deque()
        try:
            try:
                with metrics.HTTP_RUNNING.track_inprogress():
                    await self._run(scope, replaying(content, receive), send, made, answer)
            finally:
                self._end(client)
                self._drop_body(body)
            del content
            await self._pass_on(made, send, answer)
            if answer.dropped:
                await receive()  # returns when the connection is gone
        finally:
            self._count_answer(answer, -answer.size)
            self._answers.discard(answer)

    async def _begin(self, client: Client) -> None:
        metrics.HTTP_INSIDE.inc()
        try:
            await self._turns.begin(client)
        except BaseException:
            metrics.HTTP_INSIDE.dec()
            raise

    def _end(self, client: Client) -> None:
        metrics.HTTP_INSIDE.dec()
        self._turns.end(client)

    async def _run(
        self, scope: Scope, receive: Receive, send: Send, made: deque[Message], answer: _Answer
    ) -> None:
        """Run the application, and put what it answers into `made`."""

        async def keep(message: Message) -> None:
            if answer.cut is None:
                # Without a way to end the connection nothing would bound what is kept for it.
                await send(message)
                return
            made.append(message)
            self._count_answer(answer, len(message.get("body", b"")))
            if answer.size > ANSWER_KEPT:
                # A stream rather than a page: what is too long to be held is sent from its place.
                await self._pass_on(made, send, answer)

        await self.application(scope, receive, keep)

    async def _pass_on(self, made: deque[Message], send: Send, answer: _Answer) -> None:
        while made and not answer.dropped:
            message = made.popleft()
            await send(message)
            self._count_answer(answer, -len(message.get("body", b"")))
        made.clear()

    def _count_answer(self, answer: _Answer, size: int) -> None:
        if answer.dropped:
            return
        answer.size += size
        self._answers_size += size
        while self._answers_size > self.answers_max:
            worst = max(self._answers, key=_size)
            if worst.cut is None:
                return
            metrics.HTTP_REFUSED.labels("unread").inc()
            self._answers_size -= worst.size
            worst.size, worst.dropped = 0, True
            self._answers.discard(worst)
            worst.cut()

    async def _body(self, scope: Scope, receive: Receive, body: _Body) -> bytes | None:
        """The whole body, None when the client has gone.

        Raises ChatError("too_big" | "busy" | "invalid").
        """
        size, most = announced_size(scope), self.body_max
        if size > most:
            most = self.large.get(scope["path"], most)
            if size > most:
                raise ChatError("too_big")
            if self._large > LARGE_AT_ONCE:
                raise ChatError("busy", retry_after=2)
        try:
            async with body.deadline:
                body.arriving = True
                return await self._collected(receive, most, body)
        except TimeoutError:
            if body.evicted:
                raise ChatError("busy", retry_after=2) from None
            raise ChatError("invalid", "The request took too long to arrive.") from None
        finally:
            body.arriving = False

    async def _collected(self, receive: Receive, most: int, body: _Body) -> bytes | None:
        chunks: list[bytes] = []
        loop = asyncio.get_running_loop()
        progress = 0  # bytes since the deadline was last moved
        body.deadline.reschedule(loop.time() + self.body_seconds)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            if body.size + len(chunk) > most:
                raise ChatError("too_big")
            self._count_body(body, len(chunk))
            if body.evicted:
                raise ChatError("busy", retry_after=2)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)
            progress += len(chunk)
            if progress >= PROGRESS_BYTES:
                progress = 0
                body.deadline.reschedule(loop.time() + self.body_seconds)

    def _count_body(self, body: _Body, size: int) -> None:
        body.size += size
        self._bodies_size += size
        while self._bodies_size > self.bodies_max:
            arriving = (each for each in self._bodies if each.arriving and not each.evicted)
            worst = max(arriving, key=_size, default=None)
            if worst is None:
                return
            worst.evict()
            # Its bytes are freed in a moment; counted now, nobody else is dropped for them.
            self._bodies_size -= worst.size
            worst.size = 0

    def _drop_body(self, body: _Body) -> None:
        if body in self._bodies:
            self._bodies.discard(body)
            self._bodies_size -= body.size


def _size(held: _Body | _Answer) -> int:
    return held.size


def client_of(scope: Scope) -> Client:
    """Whose request this is, as far as its head tells: nothing of it is proved yet."""
    # Several lines of a header are put together as Django does it: at most two credentials come of it.
    told: dict[bytes, list[bytes]] = {b"authorization": [], b"cookie": []}
    for name, value in scope["headers"]:
        if name in told:
            told[name].append(value)
    cookies = parse_cookie(b"; ".join(told[b"cookie"]).decode("latin-1"))
    session = cookies.get(settings.SESSION_COOKIE_NAME, "").encode("latin-1")
    credentials = (b",".join(told[b"authorization"]), session)
    address = str((scope.get("client") or ("",))[0])
    return Client(tuple(_digest(each) for each in credentials if each), address)


def _digest(credential: bytes) -> str:
    """So that no secret is kept, and nothing is longer than another."""
    return hashlib.blake2b(credential, digest_size=16).hexdigest()


def announced_size(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 20 else 0


def replaying(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body once, then whatever comes: the client's going."""
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay


async def refuse(scope: Scope, send: Send, error: ChatError) -> None:
    """Answers without Django. Closes the connection: a body may still be on its way."""
    if scope["path"].startswith("/api/"):
        kind, body = "application/json", json.dumps(error.as_dict()).encode()
    else:
        kind, body = "text/plain; charset=utf-8", error.detail.encode()
    headers = [(b"connection", b"close")]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(math.ceil(error.retry_after)).encode()))
    await answer(send, error.status, kind, body, *headers)
