"""A response whose body is a file, which is sent in pieces after the request has freed its place.

Views are synchronous and answer in one piece (chatty/server/request_handler.py). A file can be large and its
reader slow, so the server sends it afterwards: see chatty/server/file_sender.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from django.http import HttpResponse

PIECE = 256 * 1024  # bytes read at a time


class FileResponse(HttpResponse):
    """The next `length` bytes of an open file. Its content is empty: middleware has nothing to compress."""

    def __init__(self, file: IO[bytes], length: int, **options: Any) -> None:
        super().__init__(**options)
        self.file = file
        self.length = length
        self.headers["Content-Length"] = str(length)

    def pieces(self) -> Iterator[bytes]:
        """Read the bytes, and close the file at the end. It ends early if the file does."""
        left = self.length
        with self.file:
            while left and (piece := self.file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece
