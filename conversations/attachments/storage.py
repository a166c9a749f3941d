"""Where the bytes of files are.

An upload grows in a file of DATA_DIR/uploads. Its length is how far the upload is: nothing else stores that,
so no crash can make them differ. A complete one is moved to the storage "files", which is DATA_DIR/files or
any other storage of Django (FILES_URL).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files import File as DjangoFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from chatty.common.errors import ChatError

COPIED = 1024 * 1024  # bytes at a time
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LocalStorage(FileSystemStorage):
    """Files in a directory, each complete or missing, whenever the machine stops."""

    def put(self, source: Path, name: str) -> None:
        """Move a complete file into the storage. Its bytes are on the disk before it has its name."""
        target = Path(self.path(name))
        target.parent.mkdir(
            parents=True, exist_ok=True, mode=self.directory_permissions_mode or 0o700
        )
        if source.stat().st_dev != target.parent.stat().st_dev:
            copy = target.with_name(f".{target.name}")
            with contextlib.ExitStack() as undo:
                undo.callback(copy.unlink, missing_ok=True)
                shutil.copyfile(source, copy)
                self._put(copy, target)
            source.unlink()
            return
        self._put(source, target)

    def _put(self, source: Path, target: Path) -> None:
        if self.file_permissions_mode is not None:
            source.chmod(self.file_permissions_mode)
        sync(source)
        source.replace(target)
        sync(target.parent)


def files() -> Storage:
    return storages["files"]


def part_path(file_id: str) -> Path:
    """Return where an upload grows."""
    return Path(settings.DATA_DIR) / "uploads" / file_id


def offset_of(file_id: str) -> int:
    """Return how many bytes of an upload have arrived."""
    try:
        return part_path(file_id).stat().st_size
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def writing(file_id: str) -> Iterator[None]:
    """Let only one request add to an upload. Raises ChatError: busy while another does, storage_full.

    The lock has a file of its own, because that of the upload is moved when it is complete.
    """
    path = _lock_path(file_id)
    with contextlib.ExitStack() as opened:
        with translate_errors():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = opened.enter_context(path.open("ab"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChatError("busy", retry_after=1) from None
        yield


def append(file_id: str, chunks: Iterable[bytes]) -> None:
    """Add bytes to an upload. If the process is killed, some of them may be there: offset_of() tells."""
    with translate_errors(), part_path(file_id).open("ab", buffering=0) as file:
        for chunk in chunks:
            left = memoryview(chunk)
            while left:
                left = left[file.write(left) :]


def _lock_path(file_id: str) -> Path:
    return part_path(f"{file_id}.lock")


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise ChatError if there is no space, or if the storage can't be reached."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ChatError("storage_full") from error
        raise ChatError("unavailable", retry_after=5) from error


def keep(path: Path, name: str) -> None:
    """Move a complete file into the storage. Raises ChatError("storage_full" | "unavailable"); then it stays
    where it was, and nothing of it is stored."""
    storage: Any = files()
    with translate_errors():
        if isinstance(storage, LocalStorage):
            storage.put(path, name)
            return
        try:
            with path.open("rb") as source:
                storage.save(name, DjangoFile(source, name))
        except OSError:
            raise
        except Exception as error:  # of any library of any service
            raise ChatError("unavailable", retry_after=5) from error
        path.unlink(missing_ok=True)


def remove(*names: str) -> None:
    """Remove objects, which may be missing. Raises what the storage raises."""
    for name in names:
        files().delete(name)


def is_local() -> bool:
    return isinstance(files(), LocalStorage)


def exists(name: str) -> bool:
    return bool(files().exists(name))


def remove_part(file_id: str) -> None:
    """Remove what has arrived of an upload, and what was made of it."""
    part_path(file_id).unlink(missing_ok=True)
    part_path(f"{file_id}.clean").unlink(missing_ok=True)


def remove_lock(file_id: str) -> None:
    """For an upload to which nothing can be added any more."""
    _lock_path(file_id).unlink(missing_ok=True)


def open_stored(name: str) -> IO[bytes]:
    """Open an object for reading. Raises FileNotFoundError, and what the storage raises."""
    opened: Any = files().open(name, "rb")
    return opened  # type: ignore[no-any-return]


def open_range(name: str, start: int, length: int) -> IO[bytes]:
    """Open an object at a place, to read so many bytes. Raises as open_stored() does.

    Django's file of a bucket would first get the whole object, for every part that a player asks for.
    """
    storage: Any = files()
    if hasattr(storage, "bucket") and length:
        where = f"bytes={start}-{start + length - 1}"
        key = storage._normalize_name(name)
        body: Any = storage.bucket.Object(key).get(Range=where)["Body"]
        return body  # type: ignore[no-any-return]
    opened = open_stored(name)
    opened.seek(start)
    return opened


def size_of(name: str) -> int:
    return int(files().size(name))


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
