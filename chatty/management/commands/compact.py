"""Writes the SQLite database anew, without unused space and what deleted text may be left in it."""

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
                "This is for SQLite. In PostgreSQL, VACUUM FULL does the same: see SECURITY.md."
            )
        failures.require_database()
        try:
            with databases.migrating():  # no server runs, and none starts meanwhile
                erasing.compact()
        except (ImproperlyConfigured, DatabaseError) as error:
            raise CommandError(f"The database was not compacted: {error}") from None
        self.stdout.write("The database holds nothing but what is stored now.")
