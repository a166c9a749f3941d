"""Uploads through real servers: an API client that sends files in pieces, and continues where it must."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.installations import Person

PIECE = 1024 * 1024


class Uploader:
    """Uploads as one person. It repeats everything until it has an answer, as a browser does."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._line: http.client.HTTPConnection | None = None

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        if self._line is None:
            self._line = http.client.HTTPConnection(
                "127.0.0.1", self.person.server.port, timeout=60
            )
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self._line.request(
                method, path, body, {"Authorization": f"Bearer {self.person.token}", **given}
            )
            answer = self._line.getresponse()
            found = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, found

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def persist(self, seconds: float = 60, **given: Any) -> Any:
        """Make an API call until there is an answer that isn't temporary."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = self.person.call(**given)
                if status < 500:
                    return status, answer
            assert time.monotonic() < deadline, given
            time.sleep(0.05)

    def upload(self, key: str, name: str, size: int, read: Callable[[int, int], bytes]) -> str:
        """Upload `size` bytes. `read`: (offset, size) -> bytes. Returns the id of the upload."""
        announced = {"key": key, "name": name, "size": size}
        status, made = self.persist(method="POST", path="/api/uploads/", body=announced)
        assert status in (200, 201), made
        offset, agreed = int(made["offset"]), False
        # An empty piece at the end: the server may have been killed while it examined the file.
        while offset < size or not agreed:
            piece = read(offset, min(PIECE, size - offset))
            offset, agreed = self._send(made["id"], offset, piece)
        return str(made["id"])

    def _send(
        self, upload: str, offset: int, piece: bytes, seconds: float = 60
    ) -> tuple[int, bool]:
        """Return how many bytes have arrived, and whether the piece was sent at the right offset."""
        deadline = time.monotonic() + seconds
        path = f"/api/uploads/{upload}/"
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, headers, body = self.request(
                    "PATCH",
                    path,
                    piece,
                    Content_Type="application/octet-stream",
                    Upload_Offset=str(offset),
                )
                if status in (204, 409):
                    return int(headers["upload-offset"]), status == 204
                assert status in (429, 503), (status, body)
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def download(self, url: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        line = http.client.HTTPConnection("127.0.0.1", self.person.server.port, timeout=60)
        with contextlib.closing(line):
            line.request("GET", url, headers={"Authorization": f"Bearer {self.person.token}"})
            answer = line.getresponse()
            assert answer.status == 200
            while piece := answer.read(PIECE):
                yield piece
