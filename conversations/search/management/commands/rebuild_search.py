"""Writes the index of message search again, while the server is running."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from chatty.ops import failures
from conversations.search import rebuild


class Command(BaseCommand):
    help = (
        "Index all messages for search again. Chatty can be running. If it is interrupted, the next call "
        "goes on where it ended."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--restart", action="store_true", help="Begin with the first message in any case."
        )

    def handle(self, *, restart: bool, **options: Any) -> None:
        failures.require_database()
        done_before, total = rebuild.progress()
        initial = 0 if restart else done_before
        count = 0
        with tqdm(total=total, initial=initial, unit=" messages", disable=None) as bar:
            began = time.monotonic()
            for done in rebuild.steps(restart=restart):
                count += done
                bar.update(done)
                # Pause as long as the step took, so that others can write, too.
                time.sleep(min(time.monotonic() - began, 1.0))
                began = time.monotonic()
        self.stdout.write(f"{count} messages indexed.")
