"""Rewrites the SQLite database without unused space, which can still contain deleted text."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from chatty.ops import databases, failures
from chatty.sqlite import erasing


class Command(BaseCommand):
    help = "Remove unused space, and deleted text left in it, from the SQLite database. Stop Chatty first."

    def handle(self, **options: Any) -> None:
        if connection.vendor != "sqlite":
            raise CommandError(
                "This command is for SQLite. On PostgreSQL, use VACUUM FULL: see SECURITY.md."
            )
        failures.require_database()
        try:
            with databases.migration_lock():  # no server runs or starts while this is held
                erasing.compact()
        except (ImproperlyConfigured, DatabaseError) as error:
            raise CommandError(f"Can't compact the database: {error}") from None
        self.stdout.write("The database was compacted.")
