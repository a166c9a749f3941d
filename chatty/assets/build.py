"""The build id: which scripts, styles and templates a page was made for.

A page that stays open compares its own with that of later responses. All processes that serve the same code
have the same id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import HashedFilesMixin, staticfiles_storage
from django.templatetags.static import static

from chatty.assets.static_files import import_map
from chatty.version import __version__

# On every response of Django.
HEADER = "Chatty-Build"

_parts: list[Callable[[], Iterable[str]]] = []


def register(part: Callable[[], Iterable[str]]) -> None:
    """Register further code of the browser. `part` returns what changes with it, such as its URLs."""
    _parts.append(part)


@lru_cache(maxsize=1)
def build_id() -> str:
    """Compute the id on the first call. chatty/asgi.py makes that call before it serves."""
    try:
        pieces = list(_pieces())
    except ValueError:
        # There is no manifest yet. Pages need `collectstatic`, but the API and sockets work without it.
        pieces = [__version__]
    digest = hashlib.blake2s(digest_size=8)
    for piece in pieces:
        digest.update(piece.encode() + b"\0")
    return digest.hexdigest()


def _pieces() -> Iterator[str]:
    yield __version__
    for name, url in sorted(import_map().items()):
        yield name
        yield url
    yield from _static_files()
    for part in _parts:
        yield from part()


def _static_files() -> Iterator[str]:
    """Yield the URL of each style sheet and script of Chatty. In development, URLs have no hash of the file,
    so yield that as well."""
    is_hashed = isinstance(staticfiles_storage, HashedFilesMixin)
    files = {path: storage for finder in get_finders() for path, storage in finder.list([])}
    for path in sorted(files):
        if path.startswith(("css/", "js/")):
            yield static(path)
            if not is_hashed:
                with files[path].open(path) as file:
                    yield hashlib.blake2s(file.read()).hexdigest()
