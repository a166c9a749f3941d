"""The ASGI application: proxy headers, the limits on concurrent HTTP requests, and routing of sockets."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re

import pytest

from chatty.common.errors import ChatError
from chatty.server.admission import ConcurrencyLimit
from chatty.server.proxy_headers import apply_proxy_headers
from chatty.server.router import Router
from chatty.server.spooling import BODY, Spool

PROXY = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


def scope(kind="http", path="/", client="203.0.113.9", headers=(), **more):
    return {
        "type": kind,
        "path": path,
        "scheme": "ws" if kind == "websocket" else "http",
        "client": [client, 5000],
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "root_path": "",
        **more,
    }


def header(scope, name):
    return [value.decode() for key, value in scope["headers"] if key == name.encode()]


FORWARDED = [
    ("host", "inside"),
    ("x-forwarded-for", "198.51.100.7"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "chat.example.org"),
]


def test_headers_of_a_trusted_proxy_are_applied():
    seen = apply_proxy_headers(scope(client="10.0.0.2", headers=FORWARDED), PROXY)
    assert seen["client"] == ["198.51.100.7", 0]
    assert seen["scheme"] == "https"
    assert header(seen, "host") == ["chat.example.org"]
    assert header(seen, "x-forwarded-for") == []


def test_forwarded_https_makes_sockets_wss():
    seen = apply_proxy_headers(scope("websocket", client="fd00::1", headers=FORWARDED), PROXY)
    assert seen["scheme"] == "wss"


@pytest.mark.parametrize("trusted", [PROXY, []])
def test_headers_of_untrusted_clients_are_removed(trusted):
    seen = apply_proxy_headers(scope(headers=FORWARDED), trusted)
    assert seen["client"][0] == "203.0.113.9"
    assert seen["scheme"] == "http"
    assert header(seen, "host") == ["inside"]
    assert not [name for name, _ in seen["headers"] if name.startswith(b"x-forwarded")]


def test_client_is_the_nearest_untrusted_address():
    told = [("x-forwarded-for", "6.6.6.6, 198.51.100.7"), ("x-forwarded-for", "10.1.1.1")]
    seen = apply_proxy_headers(scope(client="10.0.0.2", headers=told), PROXY)
    assert seen["client"][0] == "198.51.100.7"  # the client itself sent 6.6.6.6


@pytest.mark.parametrize("nonsense", ["", "unknown", "10.0.0.3", "a,b", "1.2.3.4.5", "[::1"])
def test_malformed_forwarded_for_is_ignored(nonsense):
    told = [("x-forwarded-for", nonsense)]
    seen = apply_proxy_headers(scope(client="10.0.0.2", headers=told), PROXY)
    assert seen["client"][0] in {"10.0.0.2", "::1"}


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_forwarded_addresses_with_ports_and_mapped_ones_are_parsed(entry, address):
    told = [("x-forwarded-for", entry)]
    seen = apply_proxy_headers(scope(client="10.0.0.2", headers=told), PROXY)
    assert seen["client"][0] == address


def test_root_path_header_is_ignored():
    given = scope(
        headers=[("daphne-root-path", "/foo"), ("x_forwarded_for", "1.1.1.1")], root_path="/foo"
    )
    seen = apply_proxy_headers(given, [])
    assert seen["root_path"] == ""
    assert seen["headers"] == []


class Line:
    """One HTTP request to an ASGI application: sends the body and collects the response."""

    def __init__(self, application, chunks=(b"",), path="/", headers=(), **more):
        self.messages = [
            {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
            for index, chunk in enumerate(chunks)
        ]
        self.sent = []
        self.gone = asyncio.Event()
        given = scope(path=path, headers=headers, **{"method": "POST", **more})
        self.task = asyncio.create_task(application(given, self.receive, self.send))

    async def receive(self):
        if self.messages:
            return self.messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    @property
    def status(self):
        return self.sent[0]["status"] if self.sent else None

    @property
    def headers(self):
        return dict(self.sent[0]["headers"])

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.sent[1:])


class Slow:
    """An application that responds on request and counts its concurrent requests."""

    def __init__(self):
        self.go = asyncio.Event()
        self.running = self.most = 0
        self.bodies = []

    async def __call__(self, scope, receive, send):
        self.running += 1
        self.most = max(self.most, self.running)
        self.bodies.append((await receive())["body"])
        await self.go.wait()
        self.running -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


def bound(application, **changes):
    limits = {"running": 2, "waiting": 3, "body_max": 1000, "body_seconds": 5.0, **changes}
    return ConcurrencyLimit(application, **limits)


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_requests_over_the_limit_wait_or_get_503():
    slow = Slow()
    door = bound(slow)
    lines = [Line(door) for _ in range(7)]
    await turns()
    assert slow.running == 2
    refused = [line for line in lines if line.status]
    assert [line.status for line in refused] == [503, 503]
    assert refused[0].headers[b"retry-after"] == b"2"
    slow.go.set()
    await asyncio.gather(*(line.task for line in lines))
    assert [line.status for line in lines].count(200) == 5
    assert slow.most == 2
    late = Line(door)
    await late.task
    assert late.status == 200  # no one stays locked out


async def test_pieces_that_lie_about_their_length_do_not_arrive():
    slow = Slow()
    door = bound(slow, pieces=("/uploads/", 1000))

    def piece(*chunks, says):
        told = [("content-length", says)]
        return Line(door, chunks, path="/uploads/1/", headers=told, method="PATCH")

    longer = piece(b"x" * 600, b"x" * 600, says="5")
    shorter = piece(b"x" * 600, says="900")
    shorter.messages[0]["more_body"] = True
    shorter.gone.set()  # the connection ends there
    await asyncio.gather(longer.task, shorter.task)
    assert (longer.status, shorter.status, slow.bodies) == (413, None, [])


async def test_pieces_that_wait_for_the_disk_leave_places_for_other_requests():
    disk = Slow()

    async def application(scope, receive, send):
        await (disk if scope["method"] == "PATCH" else sleepless)(scope, receive, send)

    sleepless = Slow()
    sleepless.go.set()
    # The bodies of those that wait don't use up the memory for others.
    door = bound(application, running=8, pieces=("/uploads/", 1000), bodies_max=24_000)
    addresses = [f"203.0.113.{number}" for number in range(50)]

    def piece(client):
        return Line(door, [b"x" * 1000], path="/uploads/1/", method="PATCH", client=client)

    pieces = [piece(each) for each in addresses]
    await turns()
    assert (disk.running, disk.most) == (2, 2)
    assert [line.status for line in pieces].count(503) == 32  # 16 wait
    for _ in range(3):
        send = Line(door, [b"x" * 900], client=addresses[0])
        await turns()
        assert send.status == 200
    pieces[2].task.cancel()  # one that waits
    disk.go.set()
    await turns(60)
    assert [line.status for line in pieces].count(200) == 17
    assert disk.most == 2
    again = piece("198.51.100.1")
    await turns()
    assert again.status == 200


async def test_uploads_that_begin_at_once_leave_places_for_other_requests():
    slow = Slow()
    door = bound(slow, running=12, waiting=64, pieces=("/uploads/", 1000))
    addresses = [f"203.0.113.{number}" for number in range(50)]
    begun = [Line(door, path="/uploads/", method="POST", client=each) for each in addresses]
    await turns()
    assert slow.running == 1
    piece = Line(door, [b"x" * 1000], path="/uploads/1/", method="PATCH", client=addresses[0])
    other = Line(door, client=addresses[0])
    await turns()
    assert slow.running == 3
    slow.go.set()
    await turns(120)
    assert [line.status for line in [*begun, piece, other]] == [200] * 52


async def test_slot_is_released_after_an_exception():
    async def broken(scope, receive, send):
        raise RuntimeError

    door = bound(broken, running=1, waiting=0)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await Line(door).task


async def test_busy_error_of_the_api_is_json():
    slow = Slow()
    door = bound(slow, running=1, waiting=0)
    Line(door)
    refused = Line(door, path="/api/me/")
    await turns()
    assert json.loads(refused.body) == {
        "code": "busy",
        "detail": "Chatty is busy. Try again in a moment.",
        "fields": {},
        "retry": True,
        "retry_after": 2,
    }
    slow.go.set()


async def test_static_files_bypass_the_limit():
    slow = Slow()
    door = bound(slow, running=1, waiting=0)
    Line(door)
    passing = Line(door, path="/static/css/base.css")
    await turns()
    assert slow.running == 2
    assert passing.status is None
    slow.go.set()
    await passing.task
    assert passing.status == 200


async def test_slow_upload_takes_no_slot():
    slow = Slow()
    slow.go.set()
    door = bound(slow, running=1, waiting=0)
    sender = Line(door, chunks=[b"one ", b"two"])
    sender.messages.pop()
    await turns()
    other = Line(door)
    await other.task
    assert other.status == 200
    assert sender.status is None
    sender.gone.set()  # if the client disconnects before the end, the request is not processed
    await sender.task
    assert slow.bodies == [b""]


async def test_large_bodies_get_413_with_and_without_content_length():
    slow = Slow()
    slow.go.set()
    door = bound(slow)
    announced = Line(door, headers=[("content-length", "1001")])
    streamed = Line(door, chunks=[b"x" * 600, b"x" * 600])
    fitting = Line(door, chunks=[b"x" * 500, b"x" * 500])
    await asyncio.gather(announced.task, streamed.task, fitting.task)
    assert [announced.status, streamed.status, fitting.status] == [413, 413, 200]
    assert slow.bodies == [b"x" * 1000]


@pytest.mark.parametrize("headers", [[("transfer-encoding", "chunked")], []])
async def test_a_body_in_chunks_gets_its_length(headers, tmp_path):
    """Django takes a form without a length for an empty one."""
    seen = []

    async def application(scope, receive, send):
        body = scope[BODY].read() if BODY in scope else (await receive())["body"]
        seen.append((header(scope, "content-length"), body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def anyone(scope):
        pass

    spool = Spool(
        paths=re.compile("/form/"),
        directory=tmp_path,
        size_min=10,
        size_max=100,
        body_seconds=5,
        require_sender=anyone,
    )
    door = bound(application, spool=spool)
    given = [("content-type", "multipart/form-data; boundary=x"), *headers]
    for path in ("/", "/form/"):
        await Line(door, chunks=[b"one ", b"two"], path=path, headers=given).task
    assert seen == [(["7"], b"one two")] * 2


@pytest.mark.parametrize(("number", "status"), [(28, 507), (5, 503)])
async def test_a_disk_that_fails_is_said(number, status, tmp_path, monkeypatch):
    def fails(**given):
        raise OSError(number, "of the disk")

    async def anyone(scope):
        pass

    monkeypatch.setattr("tempfile.TemporaryFile", fails)
    spool = Spool(
        paths=re.compile("/form/"),
        directory=tmp_path,
        size_min=10,
        size_max=100,
        body_seconds=5,
        require_sender=anyone,
    )
    line = Line(
        bound(Slow(), spool=spool),
        path="/form/",
        headers=[("content-type", "multipart/form-data; boundary=x")],
    )
    await line.task
    assert line.status == status


async def test_upload_paths_accept_a_few_large_bodies_at_once():
    slow = Slow()
    door = bound(slow, running=30, large={"/picture/": 3000})
    big = [("content-length", "2500")]

    def line(path="/picture/", headers=big, size=2500):
        return Line(door, chunks=[b"x" * size], path=path, headers=headers)

    refused = [
        line(path="/elsewhere/"),
        line(headers=()),  # without a Content-Length the ordinary limit applies
        line(headers=[("content-length", "3001")], size=3001),
        line(headers=[("content-length", "2500")], size=3001),
    ]
    await asyncio.gather(*(each.task for each in refused))
    assert [each.status for each in refused] == [413] * 4
    several = [line() for _ in range(5)]
    await turns()
    assert slow.running == 4
    assert [each.status for each in several].count(503) == 1
    ordinary = line(headers=[("content-length", "1")], size=1)
    await turns()
    assert slow.running == 5
    slow.go.set()
    await asyncio.gather(ordinary.task, *(each.task for each in several))
    late = line()
    await late.task
    assert late.status == 200


async def test_stalled_body_is_aborted():
    slow = Slow()
    line = Line(bound(slow, body_seconds=0.05), chunks=[b"x"])
    line.messages[0]["more_body"] = True
    await line.task
    assert line.status == 400
    assert slow.bodies == []


async def test_slow_but_steady_body_is_accepted(monkeypatch):
    monkeypatch.setattr("chatty.server.admission.PROGRESS_BYTES", 10)
    slow = Slow()
    slow.go.set()
    chunks = [
        {"type": "http.request", "body": b"x" * 10, "more_body": number < 4} for number in range(5)
    ]
    sent = []

    async def receive():
        await asyncio.sleep(0.3)  # longer than body_seconds in total
        return chunks.pop(0)

    async def send(message):
        sent.append(message)

    await bound(slow, body_seconds=1.0)(scope("http", path="/"), receive, send)
    assert sent[0]["status"] == 200
    assert slow.bodies == [b"x" * 50]


async def test_largest_incomplete_body_is_dropped_first():
    slow = Slow()
    slow.go.set()
    door = bound(slow, bodies_max=1500)
    lines = [Line(door, chunks=[b"x" * size, b"x"]) for size in (700, 600, 20)]
    for line in lines:
        line.messages.pop()  # the rest never arrives
    await turns()
    assert [line.status for line in lines] == [None] * 3
    small = Line(door, chunks=[b"x" * 300])
    await turns()
    assert [line.status for line in lines] == [503, None, None]
    assert small.status == 200
    for line in lines[1:]:
        line.gone.set()
        await line.task
    assert (door._bodies, door._bodies_size) == (set(), 0)


def ask_and_take_nothing(application, taking, **more):
    """Send a request and read nothing of the response before `taking` is set."""

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        await taking.wait()

    return asyncio.create_task(application(scope("http", path="/", **more), receive, send))


async def test_unread_response_takes_no_slot():
    slow = Slow()
    slow.go.set()
    door = bound(slow, running=1, waiting=0)
    taking = asyncio.Event()
    unread = ask_and_take_nothing(door, taking, extensions={"chatty.cut": taking.set})
    await turns()
    assert slow.running == 0
    other = Line(door)
    await other.task
    assert other.status == 200
    taking.set()
    await unread
    assert (door._answers, door._answers_size) == (set(), 0)


async def test_unread_response_keeps_its_slot_without_the_cut_extension():
    """Otherwise nothing would limit the number of responses kept for clients that do not read."""
    slow = Slow()
    slow.go.set()
    door = bound(slow, running=1, waiting=0)
    taking = asyncio.Event()
    unread = ask_and_take_nothing(door, taking)
    await turns()
    refused = Line(door)
    await refused.task
    assert refused.status == 503
    taking.set()
    await unread


async def test_largest_unread_response_is_cut_first():
    def page(size):
        async def application(scope, receive, send):
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x" * size})

        return application

    async def application(scope, receive, send):
        await page(scope["size"])(scope, receive, send)

    door = bound(application, answers_max=1500)
    cut, tasks = [], []
    for size in (800, 600, 300):
        gone = asyncio.Event()

        def end(size=size, gone=gone):
            cut.append(size)
            gone.set()

        async def receive(asked=[], gone=gone):  # noqa: B006 - one list for each
            if not any(each is gone for each in asked):
                asked.append(gone)
                return {"type": "http.request", "body": b""}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message, gone=gone):
            await gone.wait()

        about = {**scope("http", path="/"), "size": size, "extensions": {"chatty.cut": end}}
        tasks.append(asyncio.create_task(door(about, receive, send)))
        await turns()
    assert cut == [800]
    await turns()
    assert [task.done() for task in tasks] == [True, False, False]
    assert door._answers_size == 900
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (door._answers, door._answers_size) == (set(), 0)


async def close_unknown_socket(door, path, **about):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await door({**scope("websocket", path=path), **about}, receive, send)
    return sent


def router(**changes):
    async def nothing(*_):
        pass

    parts = {
        "http": nothing,
        "websockets": {"/ws/": nothing},
        "probes": {},
        "on_startup": nothing,
        "on_shutdown": nothing,
        "trusted": [],
        "https": False,
    }
    return Router(**{**parts, **changes})


async def test_socket_with_an_unknown_path_is_rejected_with_404():
    refused = []
    extensions = {"chatty.frame": {"refuse": lambda *about: refused.append(about)}}
    assert await close_unknown_socket(router(), "/ws/other/", extensions=extensions) == []
    assert refused == [(404, ChatError("not_found").detail)]
    assert await close_unknown_socket(router(), "/ws/other/") == [{"type": "websocket.close"}]
    assert await close_unknown_socket(router(), "/ws/") == []
    assert await close_unknown_socket(router(), "/ws") == []  # the trailing slash is optional


@pytest.mark.parametrize("path", ["/ws/", "/ws"])
async def test_request_without_upgrade_is_answered_with_426(path):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "client": None}
    await router()(scope, None, send)
    assert sent[0]["status"] == 426
    assert (b"upgrade", b"websocket") in sent[0]["headers"]
    assert (b"connection", b"upgrade") in sent[0]["headers"]
    assert sent[1]["body"] == b"Open a WebSocket at this address."


async def lifespan(door):
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    await door({"type": "lifespan"}, receive, send)
    return sent


async def test_lifespan_starts_and_stops_the_engine():
    deeds = []

    async def start():
        deeds.append("start")

    async def stop():
        deeds.append("stop")

    sent = await lifespan(router(on_startup=start, on_shutdown=stop))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert deeds == ["start", "stop"]


async def test_failed_engine_start_fails_the_lifespan():
    async def start():
        raise RuntimeError

    sent = await lifespan(router(on_startup=start))
    assert sent[0] == "lifespan.startup.failed"


async def test_untrusted_proxy_gets_a_hint_instead_of_a_redirect_loop():
    async def page(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    told = [("x-forwarded-proto", "https")]
    refused = Line(router(http=page, https=True), headers=told)
    await refused.task
    assert refused.status == 400
    assert b"set TRUSTED_PROXIES=203.0.113.9" in refused.body
    for door in (
        router(http=page, https=False),
        router(http=page, https=True, trusted=[ipaddress.ip_network("203.0.113.0/24")]),
    ):
        passed = Line(door, headers=told)
        await passed.task
        assert passed.status == 200
    plain = Line(router(http=page, https=True))
    await plain.task
    assert plain.status == 200  # Django redirects it to https
