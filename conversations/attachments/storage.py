"""Where the bytes of files are.

An upload grows in a file of DATA_DIR/uploads. Its length is how far the upload is: nothing else stores that,
so no crash can make them differ. A complete one is moved to the storage "files", which is DATA_DIR/files or
any other storage of Django (FILES_URL).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files import File as DjangoFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from chatty.common.disk import error_of_disk
from chatty.common.errors import ChatError
from conversations.attachments import limits

COPIED = 1024 * 1024  # bytes at a time
_to_disk = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter
# Beside an upload: a picture without metadata, a picture from a bucket, and thumbnails.
SCRATCH = (".clean", ".original", *(f".{size}" for size in limits.THUMBNAILS))


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

    def delete(self, name: str) -> None:
        super().delete(name)
        # Of a process that was killed while it copied.
        path = Path(self.path(name))
        path.with_name(f".{path.name}").unlink(missing_ok=True)

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
    """Let only one thread, of all processes, change what is stored of a file. Raises ChatError: busy while
    another does, storage_full, unavailable.

    The lock has a file of its own, because that of the upload is moved when it is complete.
    """
    path = part_path(f"{file_id}.lock")
    with contextlib.ExitStack() as opened:
        with translate_errors():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = opened.enter_context(path.open("ab"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another request may just have released and removed it.
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            raise ChatError("busy", retry_after=1) from None
        opened.callback(path.unlink, missing_ok=True)
        yield


def append(file_id: str, chunks: Iterable[bytes]) -> None:
    """Add bytes to an upload. If the process is killed, some of them may be there: offset_of() tells.

    They are on the disk when this returns. Otherwise the whole file would be written when it is complete, and
    commits of the database on the same disk would wait for that.
    """
    with translate_errors(), part_path(file_id).open("ab", buffering=0) as file:
        for chunk in chunks:
            left = memoryview(chunk)
            while left:
                left = left[file.write(left) :]
        _to_disk(file.fileno())


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise ChatError if there is no space, or if the disk can't be reached."""
    try:
        yield
    except OSError as error:
        raise error_of_disk(error) from error


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """As translate_errors(), for any library of any service. FileNotFoundError means what it says."""
    try:
        yield
    except (FileNotFoundError, ChatError):
        raise
    except Exception as error:
        told = getattr(error, "response", None)  # of S3
        if isinstance(told, dict) and told.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
            raise FileNotFoundError from error
        raise error_of_disk(error) from error


def keep(path: Path, name: str) -> None:
    """Move a complete file into the storage. Raises ChatError("storage_full" | "unavailable"); then it stays
    where it was, and nothing of it is stored."""
    storage: Any = files()
    if isinstance(storage, LocalStorage):
        with translate_errors():
            storage.put(path, name)
        return
    with _reached(), path.open("rb") as source:
        storage.save(name, DjangoFile(source, name))
    path.unlink(missing_ok=True)


def remove(*names: str) -> None:
    """Remove objects, which may be missing. Raises ChatError("unavailable")."""
    for name in names:
        with _reached(), contextlib.suppress(FileNotFoundError):
            files().delete(name)


def is_local() -> bool:
    return isinstance(files(), LocalStorage)


def exists(name: str) -> bool:
    """Raises ChatError("unavailable")."""
    with _reached():
        return bool(files().exists(name))


def remove_part(file_id: str) -> None:
    """Remove what has arrived of an upload, and what was made of it."""
    for end in ("", *SCRATCH):
        part_path(f"{file_id}{end}").unlink(missing_ok=True)


def open_stored(name: str) -> IO[bytes]:
    """Open an object for reading. Raises FileNotFoundError, and ChatError("unavailable")."""
    with _reached():
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
        with _reached():
            body: Any = storage.bucket.Object(key).get(Range=where)["Body"]
            return body  # type: ignore[no-any-return]
    opened = open_stored(name)
    opened.seek(start)
    return opened


@contextlib.contextmanager
def local_copy(name: str, scratch: Path) -> Iterator[Path]:
    """The path of an object, of a copy in `scratch` if it isn't on this machine.

    Raises as open_stored() does, and ChatError("storage_full").
    """
    storage: Any = files()
    if isinstance(storage, LocalStorage):
        yield Path(storage.path(name))
        return
    try:
        with _reached(), open_range(name, 0, size_of(name)) as source, scratch.open("wb") as target:
            shutil.copyfileobj(source, target, COPIED)
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


def size_of(name: str) -> int:
    """Raises as open_stored() does."""
    with _reached():
        return int(files().size(name))


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
