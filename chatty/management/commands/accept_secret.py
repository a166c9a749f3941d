"""Accepts a new secret key for this database, after the old one was lost or replaced."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from chatty.ops import databases, failures


class Command(BaseCommand):
    help = "Accept the current secret key for this database. Everyone has to sign in again."

    def handle(self, **options: Any) -> None:
        if not settings.SECRET_IS_STORED:
            raise CommandError("There is no secret key yet. Run this first: python manage.py setup")
        failures.require_database()
        databases.accept_secret()
        self.stdout.write(_("This database now uses the current SECRET_KEY."))
        self.stdout.write(
            _(
                "Sessions signed with another key have ended. To keep them next time, "
                "add the old key to SECRET_KEY_FALLBACKS for a while."
            )
        )
