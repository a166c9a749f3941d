"""Copies the database and the secret key of a running Chatty to files that only their owner can read."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from psycopg import pq
from psycopg.conninfo import make_conninfo

from chatty.conf import env


class Command(BaseCommand):
    help = "Back up the database and the secret key to a directory. Chatty can keep running."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, help="For example /var/backups/chatty.")

    def handle(self, *, directory: Path, **options: Any) -> None:
        os.umask(0o077)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            base = unused(directory)
            copy = copy_postgres if connection.vendor == "postgresql" else copy_sqlite
            self.stdout.write(str(copy(base)))
            secret = settings.DATA_DIR / env.SECRET_FILE
            if secret.exists():
                kept = base.with_name(base.name + ".secret_key")
                shutil.copyfile(secret, kept)
                self.stdout.write(str(kept))
        except (OSError, sqlite3.Error) as error:
            raise CommandError(f"The backup failed: {error}") from None


def unused(directory: Path) -> Path:
    """Return an unused path in `directory`, named after the time (UTC)."""
    name = f"chatty-{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
    number, base = 1, directory / name
    while any(directory.glob(f"{base.name}.*")):
        number += 1
        base = directory / f"{name}-{number}"
    return base


def copy_sqlite(base: Path) -> Path:
    source = Path(connection.settings_dict["NAME"])
    if not source.exists():
        raise CommandError(f"There is no database at {source}.")
    target = base.with_name(base.name + ".db")
    with closing(sqlite3.connect(source)) as database:
        database.execute("VACUUM INTO ?", [str(target)])
    return target


def copy_postgres(base: Path) -> Path:
    """Raises CommandError. The password is in the environment: other users can see arguments."""
    target = base.with_name(base.name + ".dump")
    # All parameters of the URL: Django leaves out those after "?", such as the directory of a socket.
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    given = connection.get_connection_params()
    used: dict[str, Any] = {name: given[name] for name in sorted(known & given.keys())}
    password = used.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    command = [
        "pg_dump",
        "--format=custom",
        f"--file={target}",
        f"--dbname={make_conninfo(**used)}",
    ]
    try:
        done = subprocess.run(  # noqa: S603 (our own arguments, no shell)
            command, env=environment, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        raise CommandError(
            "pg_dump is not installed. On Debian: apt-get install postgresql-client"
        ) from None
    if done.returncode != 0:
        target.unlink(missing_ok=True)
        raise CommandError(f"pg_dump failed: {done.stderr.strip()}")
    return target
