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
                "conversations. Messages that were unsent at the time of the restore "
                "won’t be sent. Their authors can copy or discard them, and older "
                "drafts, in the browser."
            )
        )
        self.stdout.write(_("Running servers notice within seconds and reconnect all clients."))
