"""How much space the database, the files and everything else on their disk take, in bytes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
from django.conf import settings
from django.db import connection

_FILES_MAX = 20_000  # looked at for one page: a moment, even on a slow disk


class Storage(msgspec.Struct, frozen=True):
    """`files`: None if there are too many to add up. `total` and `free`: of the disk with DATA_DIR."""

    database: int
    files: int | None
    total: int
    free: int


def measure() -> Storage:
    disk = shutil.disk_usage(settings.DATA_DIR)
    return Storage(
        _size_of_database(), _size_of_files(Path(settings.DATA_DIR)), disk.total, disk.free
    )


def _database_files() -> list[Path]:
    name = str(connection.settings_dict["NAME"])
    return [Path(name + suffix) for suffix in ("", "-wal", "-shm")]


def _size_of_database() -> int:
    if connection.vendor == "sqlite":
        return sum(path.stat().st_size for path in _database_files() if path.exists())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _size_of_files(folder: Path) -> int | None:
    own = set(_database_files()) if connection.vendor == "sqlite" else set()
    size = looked_at = 0
    for parent, _folders, names in os.walk(folder):
        for name in names:
            looked_at += 1
            if looked_at > _FILES_MAX:
                return None
            path = Path(parent, name)
            if path not in own:
                try:
                    size += path.lstat().st_size
                except FileNotFoundError:  # removed since
                    continue
    return size
