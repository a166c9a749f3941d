"""Fills a new installation with demo data: a team and a month of its conversations."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from chatty.common.errors import ChatError
from conversations.management.demo import stage
from conversations.management.demo.people import CAST


class Command(BaseCommand):
    help = "Bring in a team of eight and a month of their talk, to look around in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--force", action="store_true", help="Even where people have talked already."
        )
        parser.add_argument(
            "--messages",
            type=int,
            default=0,
            metavar="N",
            help="Also let one conversation grow to N messages.",
        )

    def handle(self, *, force: bool, messages: int, **options: Any) -> None:
        if messages < 0:
            raise CommandError("--messages should be a number from 0 upwards.")
        if stage.is_there():
            self.stdout.write("The demo is there already.")
        else:
            self.bring_in(force=force)
        if messages:
            self.grow(messages)

    def bring_in(self, *, force: bool) -> None:
        if not force and stage.has_real_messages():
            raise CommandError(
                "People talk here already, and the demo would mix with them. "
                "If you mean it: manage.py demo --force"
            )
        password = secrets.token_urlsafe(12)
        # Hash it before the transaction: that is slow, and others would have to wait for it.
        encoded = make_password(password)
        with tqdm(unit="deed", disable=None, leave=False) as bar:

            def plan(total: int) -> stage.Progress:
                bar.reset(total)
                update: stage.Progress = bar.update
                return update

            stage.perform(password=encoded, now=timezone.now(), plan=plan)
        self.stdout.write("A month of talk is there. Sign in as any of these:")
        for person in CAST:
            self.stdout.write(f"  {person.email:<20} {person.name}")
        self.stdout.write(f"Password of each: {password}   (shown this once)")

    def grow(self, size: int) -> None:
        conversation = stage.crowd()
        missing = max(0, size - conversation.last_seq)
        try:
            with tqdm(total=missing, unit="message", disable=None, leave=False) as bar:
                stage.grow(conversation, size, bar.update)
        except ChatError as error:
            raise CommandError(f"“{conversation}”: {error.detail}") from error
        conversation.refresh_from_db()
        self.stdout.write(
            f"“{conversation}” (/c/{conversation.pk}/) has {conversation.last_seq:,} messages."
        )
