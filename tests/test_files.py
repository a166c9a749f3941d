"""Files through real servers: streamed both ways in little memory, whatever is killed."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import random
import re
import threading
import time
import uuid
from pathlib import Path

import pytest

from tests.cast import PASSWORD, email_of
from tests.installations import ROOT, eventually
from tests.markers import postgres_is_long
from tests.proxies import PROXIES, Proxy, path_of
from tests.uploads import PIECE, Uploader

pytestmark = pytest.mark.servers
MEGABYTE = 1024 * 1024


def pattern(offset: int, size: int) -> bytes:
    """Return bytes that depend on where they are."""
    block = b"".join(
        number.to_bytes(8, "big") for number in range(offset // 8, (offset + size) // 8 + 1)
    )
    return block[offset % 8 :][:size]


def peak_bytes(pid: int) -> int:
    told = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(found_in(r"^VmHWM:\s+(\d+) kB$", told))


def found_in(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found
    return found[1]


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def conversation_of(person) -> int:
    status, made = person.call("POST", "/api/conversations/", {"name": "Files"})
    assert status == 201, made
    return made["id"]


def send(uploader: Uploader, conversation: int, upload: str, key: str) -> dict:
    status, message = uploader.persist(
        method="POST",
        path=f"/api/conversations/{conversation}/messages/",
        body={"key": key, "body": "", "files": [{"upload": upload}]},
    )
    assert status in (200, 201), message
    return message


def carry(server, person, size: int) -> tuple[int, int]:
    """Upload and download a file. Returns by how much the memory grew at most, and how long it took."""
    uploader = Uploader(person)
    warm = uploader.upload(uuid.uuid4().hex, "warm.bin", 3 * MEGABYTE, pattern)
    conversation = conversation_of(person)
    list(uploader.download(send(uploader, conversation, warm, "w")["files"][0]["url"]))
    pid = server.process.pid
    reset_peak(pid)
    before = peak_bytes(pid)
    upload = uploader.upload(uuid.uuid4().hex, "large.bin", size, pattern)
    file = send(uploader, conversation, upload, "m")["files"][0]
    assert file["size"] == size
    offset = 0
    for piece in uploader.download(file["url"]):
        assert piece == pattern(offset, len(piece))
        offset += len(piece)
    assert offset == size
    return peak_bytes(pid) - before, offset


@pytest.mark.long
def test_a_file_of_64_mb_takes_little_memory(server, person):
    grown, _size = carry(server, person(server, "Alice"), 64 * MEGABYTE)
    assert grown <= 16 * MEGABYTE


@pytest.mark.long
def test_a_file_of_1_gb_takes_little_memory(installation, person):
    server = installation.serve(FILE_MAX_MB="1024")
    grown, _size = carry(server, person(server, "Alice"), 1024 * MEGABYTE)
    print(f"1 GB: {grown / MEGABYTE:.1f} MiB more at most")
    assert grown <= 16 * MEGABYTE


@postgres_is_long
def test_ten_uploads_arrive_once_although_the_server_is_killed(any_installation, person):
    server = any_installation.serve()
    alice = person(server, "Alice")
    conversation = conversation_of(alice)
    sizes = [random.Random(n).randrange(2 * MEGABYTE, 5 * MEGABYTE) for n in range(10)]
    arrived = threading.Semaphore(0)
    failed: list[BaseException] = []

    def carry_one(number: int, size: int) -> None:
        def read(offset: int, length: int) -> bytes:
            arrived.release()
            return pattern(offset + number, length)

        try:
            uploader = Uploader(alice)
            upload = uploader.upload(f"upload-{number}", f"{number}.bin", size, read)
            for _ in range(2):  # as if the answer had been lost
                send(uploader, conversation, upload, f"message-{number}")
        except BaseException as error:
            failed.append(error)

    threads = [
        threading.Thread(target=carry_one, args=(number, size)) for number, size in enumerate(sizes)
    ]
    for thread in threads:
        thread.start()
    for _ in range(3):
        for _ in range(6):  # pieces are on their way
            arrived.acquire(timeout=30)
        server.kill()
        server.start()
    for thread in threads:
        thread.join(120)
    assert not failed
    _status, page = alice.call("GET", f"/api/conversations/{conversation}/messages/")
    files = [file for message in page["messages"] for file in message.get("files", ())]
    assert sorted(file["name"] for file in files) == [f"{number}.bin" for number in range(10)]
    for file in files:
        number = int(file["name"].removesuffix(".bin"))
        found = b"".join(Uploader(alice).download(file["url"]))
        wanted = pattern(number, sizes[number])
        assert hashlib.sha256(found).digest() == hashlib.sha256(wanted).digest()
    home = any_installation.home
    # No part of an upload is left, and nothing is stored twice.
    eventually(
        lambda: not [p for p in (home / "uploads").iterdir() if p.is_file() and p.suffix != ".lock"]
    )
    assert len([path for path in (home / "files").rglob("*") if path.is_file()]) == 10


# --- forms ----------------------------------------------------------------------------------------------


class Form:
    """A browser without scripts."""

    def __init__(self, server, name: str) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}
        token = self._token("/sign-in/")
        body = f"csrfmiddlewaretoken={token}&email={email_of(name)}&password={PASSWORD}"
        status, _headers, _page = self.request(
            "POST", "/sign-in/", body.encode(), "application/x-www-form-urlencoded"
        )
        assert status == 302 or status == 303

    def request(self, method: str, path: str, body=None, kind: str = "", **more: str):
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            "Origin": self.server.url,
            **({"Content-Type": kind} if kind else {}),
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        try:
            with contextlib.suppress(BrokenPipeError):  # the answer may be there already
                line.request(method, path, body, headers)
            answer = line.getresponse()
        except (http.client.HTTPException, OSError):
            return 0, {}, ""
        page = answer.read()
        for value in answer.headers.get_all("Set-Cookie") or ():
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        line.close()
        return answer.status, answer.headers, page.decode(errors="replace")

    def _token(self, path: str) -> str:
        _status, _headers, page = self.request("GET", path)
        return found_in(r'name="csrfmiddlewaretoken" value="(\w+)"', page)

    def send_file(
        self,
        conversation: int,
        size: int,
        *,
        csrf: bool = True,
        key: str = "form",
        in_chunks: bool = False,
        **headers: str,
    ):
        """Send a message with a large file. Its body is made while it is sent. `in_chunks`: its length is not
        said before."""
        token = self._token(f"/c/{conversation}/") if csrf else "x" * 64
        edge = "----edge"

        def field(name: str, value: str) -> bytes:
            return f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()

        start = field("csrfmiddlewaretoken", token) + field("key", key) + field("body", "Look")
        start += (
            f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="large.bin"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        end = f"\r\n--{edge}--\r\n".encode()

        def pieces():
            yield start
            for offset in range(0, size, PIECE):
                yield pattern(offset, min(PIECE, size - offset))
            yield end

        if not in_chunks:
            headers["Content_Length"] = str(len(start) + size + len(end))
        return self.request(
            "POST",
            f"/c/{conversation}/messages/",
            pieces(),
            f"multipart/form-data; boundary={edge}",
            **headers,
        )


@pytest.mark.long
def test_a_form_without_scripts_sends_a_large_file_in_little_memory(server, person):
    alice = person(server, "Alice")
    conversation = conversation_of(alice)
    form = Form(server, "Alice")
    form.request("GET", f"/c/{conversation}/")
    pid = server.process.pid
    reset_peak(pid)
    before = peak_bytes(pid)
    status, _headers, page = form.send_file(conversation, 48 * MEGABYTE)
    assert status == 303, page
    assert peak_bytes(pid) - before <= 20 * MEGABYTE
    _status, page = alice.call("GET", f"/api/conversations/{conversation}/messages/")
    (file,) = page["messages"][-1]["files"]
    offset = 0
    for piece in Uploader(alice).download(file["url"]):
        assert piece == pattern(offset, len(piece))
        offset += len(piece)
    assert offset == 48 * MEGABYTE
    for size in (3 * MEGABYTE, 1000):  # received on disk, and in memory
        status, _headers, page = form.send_file(conversation, size, key=f"{size}", in_chunks=True)
        assert status == 303, page
        _status, page = alice.call("GET", f"/api/conversations/{conversation}/messages/")
        assert page["messages"][-1]["files"][0]["size"] == size


def test_forms_of_strangers_and_of_other_sites_are_refused_before_they_are_kept(server, person):
    alice = person(server, "Alice")
    conversation = conversation_of(alice)
    form = Form(server, "Alice")
    home = server.installation.home
    status, _headers, _page = form.send_file(
        conversation, 2 * MEGABYTE, csrf=False, Origin="https://evil.example"
    )
    assert status in (401, 0)  # 0: the connection was closed while it was sent
    form.cookies.clear()
    status, _headers, _page = form.send_file(conversation, 2 * MEGABYTE, csrf=False)
    assert status in (401, 0)
    assert not (home / "uploads").exists() or not list((home / "uploads").iterdir())


# --- reading slowly -------------------------------------------------------------------------------------


def test_slow_readers_of_files_keep_no_one_waiting(server, person):
    alice = person(server, "Alice")
    uploader = Uploader(alice)
    conversation = conversation_of(alice)
    upload = uploader.upload("u", "large.bin", 32 * MEGABYTE, pattern)
    url = send(uploader, conversation, upload, "m")["files"][0]["url"]
    lines = []
    for _ in range(14):  # more than requests can run at once
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        line.request("GET", url, headers={"Authorization": f"Bearer {alice.token}"})
        answer = line.getresponse()
        assert answer.status == 200
        lines.append((line, answer))
    began = time.monotonic()
    for _ in range(5):
        assert alice.call("GET", "/api/me/")[0] == 200
    assert time.monotonic() - began < 5
    # One person can't have any number of them.
    refused = []
    for _ in range(4):
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        line.request("GET", url, headers={"Authorization": f"Bearer {alice.token}"})
        refused.append(line.getresponse().status)
        lines.append((line, None))
    assert 503 in refused
    for line, _answer in lines:
        line.close()
    eventually(lambda: next(iter(uploader.download(url)), None) is not None)


def test_a_range_is_sent_by_a_real_server(server, person):
    alice = person(server, "Alice")
    uploader = Uploader(alice)
    upload = uploader.upload("u", "d.bin", 3 * MEGABYTE, pattern)
    url = send(uploader, conversation_of(alice), upload, "m")["files"][0]["url"]
    status, headers, body = uploader.request("GET", url, Range="bytes=1000000-1999999")
    assert (status, headers["content-range"]) == (206, f"bytes 1000000-1999999/{3 * MEGABYTE}")
    assert body == pattern(1_000_000, 1_000_000)
    status, headers, body = uploader.request("HEAD", url)
    assert (status, headers["content-length"], body) == (200, str(3 * MEGABYTE), b"")
    assert "content-encoding" not in headers
    status, headers, _body = uploader.request("GET", url, Accept_Encoding="gzip")
    assert "content-encoding" not in headers


# --- nginx ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(path_of("nginx") is None, reason="nginx is not installed")
def test_nginx_sends_files_with_the_lines_of_the_document(installation, person, tmp_path):
    board = "https://board.example.org"
    server = installation.serve(FILES_ACCEL="/internal-files/", API_ORIGINS=board)
    alice, carol = (person(server, name) for name in ("Alice", "Carol"))
    uploader = Uploader(alice)
    upload = uploader.upload("u", "page.html", 3 * MEGABYTE, pattern)
    file = send(uploader, conversation_of(alice), upload, "m")["files"][0]
    lines = found_in(
        r"```nginx\n(location /internal-files/ \{[^}]*\})\n```",
        (ROOT / "docs/deploy.md").read_text(),
    )
    location = lines.replace("/var/lib/chatty/files/", f"{installation.home}/files/")
    site = (
        PROXIES["nginx"]
        .read_text()
        .replace("    location / {", f"{location}\n    location / {{", 1)
    )
    proxy = Proxy("nginx", tmp_path / "nginx", [server.port], site)
    if (
        os.geteuid() == 0
    ):  # its workers would be of another user, who can't read the directories of the test
        main = tmp_path / "nginx/nginx.conf"
        main.write_text(f"user root;\n{main.read_text()}")
    proxy.start()

    def get(url: str, who, **headers: str):
        line = proxy.connection()
        line.request("GET", url, headers={"Authorization": f"Bearer {who.token}", **headers})
        answer = line.getresponse()
        body = answer.read()
        line.close()
        return answer.status, answer.headers, body

    try:
        status, headers, body = get(file["url"], alice)
        assert (status, body) == (200, pattern(0, 3 * MEGABYTE))
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"] == 'attachment; filename="page.html"'
        assert headers["Cache-Control"] == "private, no-cache"
        assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
        (policy,) = headers.get_all("Content-Security-Policy")
        assert "sandbox" in policy
        assert "X-Accel-Redirect" not in headers
        assert "Access-Control-Allow-Origin" not in headers
        _status, headers, _body = get(file["url"], alice, Origin=board)
        assert headers["Access-Control-Allow-Origin"] == board
        assert "Origin" in headers["Vary"]
        status, headers, body = get(file["url"], alice, Range="bytes=1000-1999")
        assert (status, body) == (206, pattern(1000, 1000))
        status, _headers, _body = get(file["url"], alice, **{"If-None-Match": headers["ETag"]})
        assert status == 304
        assert get(file["url"], carol)[0] == 404
        inside = f"/internal-files/{file['id'][:2]}/{file['id']}"
        assert get(inside, alice)[0] == 404
    finally:
        proxy.stop()
