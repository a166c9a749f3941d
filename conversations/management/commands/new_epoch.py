"""Makes all clients discard their positions. Run it after restoring the database from a backup."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from conversations import actions


class Command(BaseCommand):
    help = "Start a new epoch after restoring a backup: all clients then reload everything."

    def handle(self, **options: Any) -> None:
        epoch = actions.renew_epoch()
        self.stdout.write(_("The new epoch is %s.") % epoch)
        self.stdout.write(
            _(
                "Every browser and app that connects from now on reloads its "
                "conversations. Messages that weren’t sent before the restore aren’t "
                "sent. Browsers show them, and older drafts, to their author to copy or"
                " discard."
            )
        )
        self.stdout.write(_("Running servers notice within seconds and reconnect all clients."))
