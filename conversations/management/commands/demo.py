"""Fills a new installation with demo data: a team and a month of its conversations."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from chatty.common.errors import ChatError
from conversations.management.demo import player
from conversations.management.demo.people import CAST


class Command(BaseCommand):
    help = "Add sample data: eight people and a month of messages."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--force", action="store_true", help="Add them even if there are messages already."
        )
        parser.add_argument(
            "--messages",
            type=int,
            default=0,
            metavar="N",
            help="Also add messages to one conversation until it has N.",
        )

    def handle(self, *, force: bool, messages: int, **options: Any) -> None:
        if messages < 0:
            raise CommandError("--messages must be 0 or more.")
        if player.demo_exists():
            self.stdout.write("The demo has already been added.")
        else:
            self.create_demo(force=force)
        if messages:
            self.grow(messages)

    def create_demo(self, *, force: bool) -> None:
        if not force and player.has_real_messages():
            raise CommandError(
                "There are messages already, and the demo would mix with them. "
                "To add it anyway: manage.py demo --force"
            )
        password = secrets.token_urlsafe(12)
        # Hash it before the transaction: that is slow, and others would have to wait for it.
        encoded = make_password(password)
        with tqdm(unit="action", disable=None, leave=False) as bar:

            def plan(total: int) -> player.Progress:
                bar.reset(total)
                update: player.Progress = bar.update
                return update

            player.create_conversations(password=encoded, now=timezone.now(), plan=plan)
        self.stdout.write("Added a month of messages. Sign in as any of these people:")
        for person in CAST:
            self.stdout.write(f"  {person.email:<20} {person.name}")
        self.stdout.write(f"Password for all of them: {password}   (only shown once)")

    def grow(self, size: int) -> None:
        conversation = player.get_large_conversation()
        missing = max(0, size - conversation.last_seq)
        try:
            with tqdm(total=missing, unit="message", disable=None, leave=False) as bar:
                player.grow(conversation, size, bar.update)
        except ChatError as error:
            raise CommandError(f"“{conversation}”: {error.detail}") from error
        conversation.refresh_from_db()
        self.stdout.write(
            f"“{conversation}” (/c/{conversation.pk}/) has {conversation.last_seq:,} messages."
        )
