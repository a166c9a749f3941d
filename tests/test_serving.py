"""Real server processes: how they start, refuse to start, stop, and restart."""

from __future__ import annotations

import http.client
import json
import platform
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed

from chatty.ops.observer import SECURITY_HEADERS
from proof.services import free_port
from tests.installations import ROOT, eventually

pytestmark = pytest.mark.servers


def get(port, path="/healthz", headers=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def nobody_listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def conversation_of(person, *members):
    status, conversation = person.call(
        "POST", "/api/conversations/", {"name": "Tea", "members": list(members)}
    )
    assert status == 201, conversation
    return conversation["id"]


def test_server_logs_its_address_and_is_healthy(server):
    answer, body = get(server.port)
    assert (answer.status, json.loads(body)) == (200, {"status": "ok"})
    assert f"Chatty is ready: http://127.0.0.1:{server.port}" in server.output()
    assert answer.headers["Server"] is None


RESIDENT_AFTER_LARGE_BLOCKS = """
import sys
from pathlib import Path
from benchmarks.measure import resident_bytes
import django, os
django.setup()
from chatty.server.uvicorn_server import trim_memory
if sys.argv[1] == "tuned":
    trim_memory()
before = resident_bytes(os.getpid())
for _ in range(3):
    block = bytearray(b"x") * (19 * 2**20)
    kept = [bytearray(50_000) for _ in range(10)]
    del block
print(resident_bytes(os.getpid()) - before)
"""


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no mallopt to set")
def test_memory_of_password_hashing_is_returned_to_the_system(installation):
    grown = {
        way: int(
            subprocess.run(
                [sys.executable, "-c", RESIDENT_AFTER_LARGE_BLOCKS, way],
                cwd=ROOT,
                env={**installation.env, "DJANGO_SETTINGS_MODULE": "chatty.settings"},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for way in ("plain", "tuned")
    }
    assert grown["tuned"] < 4 * 2**20
    assert grown["plain"] > 15 * 2**20  # otherwise the setting would be useless


# glibc reserves this much address space for each heap but the first, aligned to it.
HEAP = 64 * 2**20


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no mallopt to set")
def test_all_threads_of_a_server_on_postgresql_share_two_heaps(production_installation):
    server = production_installation.serve()
    maps = Path(f"/proc/{server.process.pid}/maps").read_text().splitlines()
    areas = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
    heaps = [
        start
        for (start, end), (after, last) in pairwise(areas)
        if start % HEAP == 0 and end == after and last - start == HEAP
    ]
    assert len(heaps) == 1


def test_serve_before_setup_is_rejected_and_creates_no_database(installation, tmp_path):
    output = installation.manage("serve", check=False, DATA_DIR=str(tmp_path), SECRET_KEY="")
    assert "Chatty is not set up yet. Run this first: python manage.py setup" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_serve_rejects_an_outdated_database(installation):
    installation.manage("migrate", "conversations", "zero", "--verbosity", "0")
    output = installation.manage("serve", check=False, PORT="0")
    assert "behind this version of Chatty (migrations to apply: " in output
    assert "Run this first: python manage.py setup" in output


def test_serve_rejects_a_second_process_on_sqlite(installation, server):
    output = installation.manage("serve", check=False, PORT="0")
    assert "Another Chatty server is using" in output
    assert f"(process {server.process.pid})" in output
    assert get(server.port)[0].status == 200


@pytest.mark.long
def test_killed_server_leaves_no_lock_behind(server):
    server.kill()
    server.start()
    assert get(server.port)[0].status == 200


def test_serve_rejects_several_workers_on_sqlite(installation):
    output = installation.manage("serve", "--workers", "2", check=False, PORT="0")
    assert "need Redis" in output
    assert "can't share an SQLite database" in output


def test_response_to_malformed_http_has_security_headers(installation):
    server = installation.serve()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"NONSENSE\r\n\r\n")
        with line.makefile("rb") as answer:
            head, _, _body = answer.read().partition(b"\r\n\r\n")
    status, *lines = head.lower().split(b"\r\n")
    assert status.startswith(b"http/1.1 400 ")
    assert {name + b": " + value.lower() for name, value in SECURITY_HEADERS.items()} <= set(lines)


def test_serve_rejects_a_port_in_use(installation, server):
    other = installation.manage(
        "serve", check=False, PORT=str(server.port), DATA_DIR=str(installation.home)
    )
    assert "Another Chatty server" in other
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server.terminate()
        output = installation.manage("serve", check=False, PORT=str(port))
    assert f"Port {port} is used by another program. Choose another port: PORT={port + 1}" in output


def test_serve_rejects_a_sample_secret_key(installation):
    output = installation.manage("serve", check=False, SECRET_KEY="django-insecure-" + "x1y2z3" * 8)
    assert "SECRET_KEY is a sample" in output


def test_serve_rejects_more_connections_than_postgresql_allows(production_installation):
    output = production_installation.manage(
        "serve", "--workers", "4", check=False, DATABASE_POOL="100"
    )
    assert "4 x 100 connections are more than PostgreSQL allows" in output
    assert "DATABASE_POOL=" in output


def test_serve_reports_an_unreachable_database(production_installation):
    port = free_port()
    url = f"postgres://nobody:secret@127.0.0.1:{port}/nowhere"
    output = production_installation.manage("serve", check=False, DATABASE_URL=url)
    assert f"PostgreSQL does not respond at 127.0.0.1:{port}" in output
    assert "secret" not in output
    assert "Traceback" not in output


def test_second_setup_changes_nothing(installation):
    assert installation.manage("setup") == ""


@pytest.mark.long
def test_first_setup_creates_a_secret_readable_only_by_its_owner(installation, tmp_path):
    output = installation.manage("setup", DATA_DIR=str(tmp_path), SECRET_KEY="")
    secret = tmp_path / "secret_key"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_text().strip()) >= 50
    assert "admin@localhost" in output
    assert secret.read_text().strip() not in output
    assert "password" not in installation.manage("setup", DATA_DIR=str(tmp_path), SECRET_KEY="")


@pytest.mark.parametrize("kind", ["serve", "daphne", "runserver"])
def test_every_kind_of_server_serves_pages_api_and_sockets(installation, person, kind):
    debug = {"DEBUG": "1"} if kind == "runserver" else {}
    server = installation.serve(kind=kind, **debug)
    assert get(server.port, "/sign-in/")[0].status == 200
    alice = person(server, "Alice")
    with alice.socket() as connection:
        assert json.loads(connection.recv(timeout=10))["type"] == "hello"


def test_stopping_server_closes_sockets_with_1012(server, person):
    with person(server, "Alice").socket() as connection:
        connection.recv(timeout=10)
        ended = threading.Thread(target=server.terminate)
        ended.start()
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                connection.recv(timeout=10)
        ended.join()
    assert closed.value.rcvd.code == 1012


def test_stopping_server_finishes_requests_in_progress(server):
    """A body that arrives slowly: the request is in progress when SIGTERM comes."""
    body = json.dumps({"email": "alice@example.org", "password": "wrong"}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        head = (
            "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        line.sendall(head.encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 100 ")  # it has started to read
        line.sendall(body[:10])
        server.process.terminate()
        eventually(lambda: nobody_listens(server.port))
        line.sendall(body[10:])
        answer = line.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"wrong_credentials" in answer
    server.process.wait(10)


@pytest.mark.long
def test_acknowledged_messages_survive_a_kill(server, person):
    alice = person(server, "Alice")
    conversation = conversation_of(alice)
    with alice.socket() as connection:
        connection.recv(timeout=10)
        frame = {"type": "send", "conversation": conversation, "key": "k1", "body": "still here"}
        connection.send(json.dumps(frame))
        while json.loads(connection.recv(timeout=10))["type"] != "sent":
            pass
        server.kill()
    server.start()
    status, page = alice.call("GET", f"/api/conversations/{conversation}/messages/")
    assert status == 200
    assert [m["body"] for m in page["messages"] if m["kind"] == "text"] == ["still here"]


@pytest.mark.long
def test_workers_share_one_port(production_installation, person):
    server = production_installation.serve("--workers", "2")
    alice, bob = person(server, "Alice"), person(server, "Bob")
    conversation = conversation_of(alice, bob.call("GET", "/api/me/")[1]["id"])
    with bob.socket() as ear:
        ear.recv(timeout=10)
        for number in range(6):  # the two workers alternate
            body = {"key": f"k{number}", "body": f"word {number}"}
            path = f"/api/conversations/{conversation}/messages/"
            assert alice.call("POST", path, body)[0] == 201
        heard = []
        while len(heard) < 6:
            frame = json.loads(ear.recv(timeout=10))
            # What one worker sends can overtake what the other has sent, which then arrives as a repair.
            messages = frame.get("messages") or [frame.get("message")]
            heard += [each["body"] for each in messages if each and each["kind"] == "text"]
    assert heard == [f"word {number}" for number in range(6)]
    assert server.terminate() == 0


@pytest.mark.long
def test_stopping_workers_close_the_listener(production_installation):
    server = production_installation.serve("--workers", "2", TRUSTED_PROXIES="127.0.0.1")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 200")
        server.process.terminate()
        # An idle connection of a proxy keeps them running for IDLE_SECONDS.
        eventually(lambda: nobody_listens(server.port), 2.5)
        assert server.process.poll() is None
    assert server.terminate() == 0


def test_request_with_endless_headers_is_aborted(installation):
    server = installation.serve(HTTP_HEADER_SECONDS="1")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):  # head and body may arrive separately
            answer += line.recv(1000)
        assert answer.startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        line.sendall(b"GET / HTTP/1.1\r\nHost: local")  # the second request of this connection
        assert line.recv(100) == b""
        assert 0.9 < time.monotonic() - began < 5


def test_large_headers_are_rejected(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        line.sendall(b"X-Filler: " + b"x" * 8_000 + b"\r\n")
        for _ in range(20):
            try:
                line.sendall(b"X-Filler: " + b"x" * 8_000 + b"\r\n")
            except OSError:
                break
        try:
            answer = line.recv(1000)
        except ConnectionResetError:
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 200")
    assert get(server.port)[0].status == 200


def test_logs_contain_no_messages_tokens_cookies_or_queries(server, person):
    alice = person(server, "Alice")
    conversation = conversation_of(alice)
    canaries = ["CANARYBODY", "CANARYQUERY", "CANARYCOOKIE", "CANARYPASSWORD", alice.token]
    with alice.socket() as connection:
        connection.recv(timeout=10)
        frame = {"type": "send", "conversation": conversation, "key": "k", "body": canaries[0]}
        connection.send(json.dumps(frame))
        connection.send('{"type":"send","body":"CANARYBODY')
    get(server.port, "/nowhere/?token=CANARYQUERY", {"Cookie": "chatty-session=CANARYCOOKIE"})
    get(server.port, "/ws/?token=CANARYQUERY")
    with (
        pytest.raises(ConnectionClosed),
        websockets.sync.client.connect(
            f"ws://127.0.0.1:{server.port}/ws/?token=CANARYQUERY", proxy=None, open_timeout=5
        ) as connection,
    ):
        while True:
            connection.recv(timeout=5)
    alice.call("POST", "/api/token/", {"email": alice.email, "password": canaries[3]})
    alice.call("POST", "/api/token/", "CANARYBODY")
    server.terminate()
    output = server.output()
    assert "Chatty is ready" in output
    assert [canary for canary in canaries if canary in output] == []
