"""Makes every client forget what it holds: to be run after the database was restored from a backup."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from conversations import actions


class Command(BaseCommand):
    help = "Begin a new epoch, after restoring a backup: clients then load everything anew."

    def handle(self, **options: Any) -> None:
        epoch = actions.renew_epoch()
        self.stdout.write(_("The new epoch is %s.") % epoch)
        self.stdout.write(
            _(
                "Every browser and program that connects from now on forgets how far it had read "
                "along, and loads its conversations anew; messages it had not sent yet under the old "
                "epoch are not sent. A browser shows them, and drafts, to whoever wrote them, to copy."
            )
        )
        self.stdout.write(
            _("Servers that are running notice within seconds, and have all sockets come in anew.")
        )
