"""Limits concurrent HTTP: requests, bodies being received, and responses not yet sent."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import Callable, Mapping

from django.conf import settings
from django.http import parse_cookie

from chatty.common.errors import ChatError
from chatty.ops import metrics
from chatty.server.asgi_types import Application, Message, Receive, Scope, Send
from chatty.server.fair_queue import Client, FairQueue
from chatty.server.file_sender import LATER, Later
from chatty.server.responses import refuse
from chatty.server.slots import Slots
from chatty.server.spooling import BODY, ChunkedBody, Spool

LARGE_AT_ONCE = 4
PIECES_AT_ONCE = 3  # of one client
PIECES_SHARE = 4  # pieces use at most a fourth of the places
UPLOADS_SHARE = 12  # and other requests about uploads a twelfth: they only need the database
PIECES_WAITING = 16  # for these places, each with up to 1 MiB in memory
PROGRESS_BYTES = 16 * 1024  # of a body or a response, at least, per HTTP_BODY_SECONDS
ANSWER_KEPT = 8 * 1024 * 1024  # bytes of a response to buffer; the rest waits for the client
# ASGI extension: a function that aborts the connection, with everything still buffered.
CUT_EXTENSION = "chatty.cut"


class _Body:
    """The body of a request, from its first byte until the application has responded."""

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
    """A response that the client has not received yet. `cut` aborts the connection."""

    def __init__(self, cut: Callable[[], None] | None) -> None:
        self.cut = cut
        self.size = 0
        self.dropped = False


class ConcurrencyLimit:
    """Allows `running` requests in Django and `waiting` more in a FairQueue, then 503 with Retry-After.

    Each request uses a thread, and so a database connection. Without a limit many
    clients at once would exhaust the memory and starve the sockets. A request is queued when its body
    has arrived, and frees its place when its response is complete, so that clients that send or read
    slowly hold no place (the latter only if the server has CUT_EXTENSION). Static files bypass the
    limit: they need no database and little time.

    The total size of buffers is limited too: `bodies_max` for request bodies, `answers_max` for
    responses not yet sent. Beyond that the largest one is dropped, so clients that send or read little
    are never affected. A body must receive PROGRESS_BYTES per `body_seconds`, or end. The same limit
    for reading responses is in uvicorn_protocols.py.

    `large`: a maximum of bytes for each path that accepts files. Such requests must declare their
    Content-Length, and only a few are allowed at once, because each is held in memory.

    `pieces`: the beginning of the paths to which files are sent piece by piece, and the size of a piece. A
    client can send PIECES_AT_ONCE. They have a queue of their own and hold only a share of the places,
    because each can wait for the disk or the storage of files. Other requests to these paths have another
    one: when fifty uploads began at once in all places, sends took three times as long. `spool` takes forms
    with files. What is appended to LATER in the scope is sent after the request has freed its place.
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
        pieces: tuple[str, int] = ("", 0),
        spool: Spool | None = None,
        unlimited: tuple[str, ...] = ("/static/",),
    ) -> None:
        self.application = application
        self.body_max = body_max
        self.body_seconds = body_seconds
        self.bodies_max = bodies_max
        self.answers_max = answers_max
        self.large = large or {}
        self.pieces_of, self.piece_max = pieces
        self.spool = spool
        self._pieces = Slots(of_client=PIECES_AT_ONCE)
        self.unlimited = unlimited
        self._large = 0  # requests with a body beyond `body_max`, including incomplete ones
        self._queue = FairQueue(running=running, waiting=waiting)
        self._queue_of_pieces = FairQueue(
            running=max(1, running // PIECES_SHARE), waiting=PIECES_WAITING
        )
        self._queue_of_uploads = FairQueue(
            running=max(1, running // UPLOADS_SHARE), waiting=waiting
        )
        self._bodies: set[_Body] = set()
        self._bodies_size = 0
        self._answers: set[_Answer] = set()
        self._answers_size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(self.unlimited):
            await self.application(scope, receive, send)
            return
        if self.spool is not None and self.spool.takes(scope):
            await self._with_spooled_body(self.spool, scope, receive, send)
            return
        is_piece = self._is_piece(scope)
        large = content_length(scope) > self.body_max and not is_piece
        client = client_of(scope)
        if is_piece and not self._pieces.acquire(client):
            await refuse(scope, send, ChatError("busy", retry_after=1))
            return
        self._large += large
        body = _Body(asyncio.timeout(None))
        self._bodies.add(body)
        try:
            await self._with_body(scope, receive, send, body, client)
        finally:
            self._large -= large
            if is_piece:
                self._pieces.release(client)
            self._drop_body(body)

    def _is_piece(self, scope: Scope) -> bool:
        return self._is_about_uploads(scope) and scope["method"] == "PATCH"

    def _is_about_uploads(self, scope: Scope) -> bool:
        return bool(self.pieces_of) and scope["path"].startswith(self.pieces_of)

    async def _with_spooled_body(
        self, spool: Spool, scope: Scope, receive: Receive, send: Send
    ) -> None:
        client = client_of(scope)
        try:
            async with spool.body(scope, receive, client) as file:
                if file is not None:
                    await self._begin(scope, client)
                    scope = with_length(scope, os.fstat(file.fileno()).st_size)
                    await self._respond({**scope, BODY: file}, b"", receive, send, client, None)
        except ChatError as error:
            await refuse(scope, send, error)

    async def _with_body(
        self, scope: Scope, receive: Receive, send: Send, body: _Body, client: Client
    ) -> None:
        try:
            content = await self._body(scope, receive, body)
            if content is not None:
                await self._begin(scope, client)
                scope = with_length(scope, sum(map(len, content)))
                if self._is_piece(scope):
                    scope, content = {**scope, BODY: ChunkedBody(content)}, []
        except ChatError as error:
            self._drop_body(body)
            await refuse(scope, send, error)
            return
        if content is not None:
            await self._respond(scope, b"".join(content), receive, send, client, body)

    async def _respond(
        self,
        scope: Scope,
        content: bytes,
        receive: Receive,
        send: Send,
        client: Client,
        body: _Body | None,
    ) -> None:
        """Run the application, which holds a place, free the place, and send the response."""
        later: Later = []
        scope = {**scope, LATER: later}
        answer = _Answer(scope.get("extensions", {}).get(CUT_EXTENSION))
        self._answers.add(answer)
        made: deque[Message] = deque()
        try:
            try:
                with metrics.HTTP_RUNNING.track_inprogress():
                    await self._run(scope, replay_body(content, receive), send, made, answer)
            finally:
                self._end(scope, client)
                if body is not None:
                    self._drop_body(body)
            del content
            await self._send_response(made, send, answer)
            for send_more in later:
                await send_more(client, receive, send)
            if answer.dropped:
                await receive()  # returns when the connection is closed
        finally:
            self._count_answer(answer, -answer.size)
            self._answers.discard(answer)

    async def _begin(self, scope: Scope, client: Client) -> None:
        """Take a place, to be released with _end(). Raises ChatError("busy")."""
        queues = self._queues(scope)
        metrics.HTTP_INSIDE.inc()
        begun = 0
        try:
            for queue in queues:
                await queue.begin(client)
                begun += 1
        except BaseException:
            metrics.HTTP_INSIDE.dec()
            for queue in queues[:begun]:
                queue.end(client)
            raise

    def _end(self, scope: Scope, client: Client) -> None:
        metrics.HTTP_INSIDE.dec()
        for queue in self._queues(scope):
            queue.end(client)

    def _queues(self, scope: Scope) -> list[FairQueue]:
        if not self._is_about_uploads(scope):
            return [self._queue]
        own = self._queue_of_pieces if scope["method"] == "PATCH" else self._queue_of_uploads
        return [own, self._queue]

    async def _run(
        self, scope: Scope, receive: Receive, send: Send, made: deque[Message], answer: _Answer
    ) -> None:
        """Run the application, and append the messages it sends to `made`."""

        async def keep(message: Message) -> None:
            if answer.cut is None:
                # Without a way to abort the connection the buffer could not be bounded.
                await send(message)
                return
            made.append(message)
            self._count_answer(answer, len(message.get("body", b"")))
            if answer.size > ANSWER_KEPT:
                # Too long to buffer: send it now, while the request still holds its place.
                await self._send_response(made, send, answer)

        await self.application(scope, receive, keep)

    async def _send_response(self, made: deque[Message], send: Send, answer: _Answer) -> None:
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

    async def _body(self, scope: Scope, receive: Receive, body: _Body) -> list[bytes] | None:
        """Return the whole body as it arrived, or None if the client has disconnected.

        Raises ChatError("too_big" | "busy" | "invalid").
        """
        size, most = content_length(scope), self.body_max
        if self._is_piece(scope):
            most = self.piece_max
        elif size > most:
            most = self.large.get(scope["path"], most)
            if size > most:
                raise ChatError("too_big")
            if self._large > LARGE_AT_ONCE:
                raise ChatError("busy", retry_after=2)
        try:
            async with body.deadline:
                body.arriving = True
                return await self._collect(receive, most, body)
        except TimeoutError:
            if body.evicted:
                raise ChatError("busy", retry_after=2) from None
            raise ChatError("invalid", "The request took too long to arrive.") from None
        finally:
            body.arriving = False

    async def _collect(self, receive: Receive, most: int, body: _Body) -> list[bytes] | None:
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
                return chunks
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
            # Its memory is freed in a moment. Subtract it now, or others would be evicted for it.
            self._bodies_size -= worst.size
            worst.size = 0

    def _drop_body(self, body: _Body) -> None:
        if body in self._bodies:
            self._bodies.discard(body)
            self._bodies_size -= body.size


def _size(held: _Body | _Answer) -> int:
    return held.size


def client_of(scope: Scope) -> Client:
    """Return the client according to the request's headers, which are not verified yet."""
    # Repeated headers are joined, as Django does: otherwise a request could have many credentials.
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
    """Hash a credential: no secret is stored, and all keys have the same size."""
    return hashlib.blake2b(credential, digest_size=16).hexdigest()


def content_length(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 20 else 0


def with_length(scope: Scope, size: int) -> Scope:
    """Declare the length of a body that has arrived. Django takes a body without one for an empty one, and
    clients that send in chunks don't say it."""
    if content_length(scope) == size:
        return scope
    others = [each for each in scope["headers"] if each[0] != b"content-length"]
    return {**scope, "headers": [*others, (b"content-length", b"%d" % size)]}


def replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a receive() that first returns the body, then waits for the client to disconnect."""
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay
