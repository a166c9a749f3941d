"""Builds a history to search, and measures searches of it.

Runs in `manage.py shell` of the installation that is measured.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from benchmarks.measure import cpu_seconds
from conversations.content import Content, render
from conversations.models import Conversation, Membership, Message
from conversations.search import queries
from conversations.search.index import index_messages
from conversations.search.query_text import parse

BUSY = 1_000  # conversations with half of the messages; a person is a member of all of them
FEW = 3  # conversations of another person
STEP = 500  # messages indexed in one transaction
RARE = "zanzibar"  # in RARE_COUNT messages of the oldest half
RARE_COUNT = 5
LETTER, RARE_LETTER = "的", "鱻"

# What is searched, by the name of the figure.
QUERIES = {
    "a common word": "about",
    "a rare word": RARE,
    "two common words": "about someone",
    "a word that no message has": "xylophonist",
    "pieces that only occur apart": "someoneabout",
    "a word of two letters": "it",
    "a common letter of Chinese": LETTER,
    "a rare letter of Chinese": RARE_LETTER,
    "a common word of one person": "from:me about",
    "a common word, long ago": "about before:2025-06-01",
}


def serve_requests() -> None:
    """For each line {"count": n, "conversations": n, "rounds": n} of standard input, print measure()."""
    for line in sys.stdin:
        print(json.dumps(measure(**json.loads(line))), flush=True)


def measure(count: int, conversations: int, rounds: int) -> dict[str, Any]:
    """Build a history of `count` messages, and search it.

    Returns {"indexing": seconds of CPU time per message, "searches": {person: {query: seconds of CPU
    time in each round}}}.
    """
    people = _people()
    rooms = _rooms(people, conversations)
    first = _fill(people, rooms, count)
    began = time.thread_time()
    _index(first, count)
    spent = time.thread_time() - began
    found: dict[str, dict[str, list[float]]] = {}
    for who, text, _round in itertools.product(people, QUERIES, range(rounds)):
        found.setdefault(who, {}).setdefault(text, []).append(_search(people[who], QUERIES[text]))
    return {"indexing": spent / count, "searches": found}


def _people() -> dict[str, User]:
    run = uuid.uuid4().hex
    names = (f"{FEW} conversations", f"{BUSY:,} conversations")
    made = User.objects.bulk_create(
        User(email=f"{run}-{number}@example.org", name=f"Guest {number}", password="!")
        for number, _name in enumerate(names)
    )
    return dict(zip(names, made, strict=True))


def _rooms(people: dict[str, User], count: int) -> list[int]:
    now = timezone.now()
    made = Conversation.objects.bulk_create(
        Conversation(name=f"Room {number}", created_at=now, last_text_at=now)
        for number in range(count)
    )
    few, busy = people.values()
    Membership.objects.bulk_create(
        Membership(conversation=room, user=user, joined_at=now)
        for user, rooms in ((few, made[-FEW:]), (busy, made[:BUSY]))
        for room in rooms
    )
    return [room.pk for room in made]


def _fill(people: dict[str, User], rooms: list[int], count: int) -> int:
    """Insert the messages. Returns the first id."""
    dice = random.Random(1)
    authors = [user.pk for user in people.values()]
    words = _Words(dice)
    began = datetime(2025, 1, 1, tzinfo=UTC)
    seqs = dict.fromkeys(rooms, 0)
    rare = {(number + 1) * count // (2 * RARE_COUNT + 2) for number in range(RARE_COUNT)}

    def message(number: int) -> Message:
        room = dice.choice(rooms[:BUSY] if number % 2 else rooms)
        seqs[room] += 1
        body = words.sentence(number)
        if number in rare:
            body += f" {RARE} {RARE_LETTER}"
        content = Content(body)
        rendered = render(content)
        return Message(
            conversation_id=room,
            seq=seqs[room],
            version=seqs[room],
            author_id=dice.choice(authors),
            key=f"k{number}",
            body=body,
            html=rendered.html,
            excerpt=rendered.excerpt,
            renderer=3,
            created_at=began + timedelta(minutes=number),
        )

    last = Message.objects.order_by("pk").last()
    for start in range(0, count, 5_000):
        Message.objects.bulk_create(
            message(each) for each in range(start, min(start + 5_000, count))
        )
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE conversations_conversation SET last_seq = %s, version = %s WHERE id = %s",
            [(seq, seq, room) for room, seq in seqs.items()],
        )
    return last.pk + 1 if last else 1


class _Words:
    """Words with frequencies as in a language: the n-th is used with a probability of about 1/n."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        letters = ("bdfghklmnprstvw", "aeiou")
        made: dict[str, None] = {}
        while len(made) < 30_000:
            made["".join(dice.choice(letters[n % 2]) for n in range(dice.randint(2, 9)))] = None
        self._words = ["about", "it", "someone", *made]
        self._signs = [LETTER, *map(chr, range(0x4E00, 0x4E00 + 3_000))]
        self._word_weights = list(
            itertools.accumulate(1 / (n + 3) for n in range(len(self._words)))
        )
        self._sign_weights = list(
            itertools.accumulate(1 / (n + 3) for n in range(len(self._signs)))
        )

    def sentence(self, number: int) -> str:
        """Return a message of some 60 characters; every tenth is Chinese."""
        if number % 10 == 0:
            length = self._dice.randint(4, 40)
            return "".join(
                self._dice.choices(self._signs, cum_weights=self._sign_weights, k=length)
            )
        length = self._dice.randint(2, 18)
        return " ".join(self._dice.choices(self._words, cum_weights=self._word_weights, k=length))


def _index(first: int, count: int) -> None:
    for ids in _steps(first, first + count):
        with transaction.atomic():
            index_messages(ids, new=ids)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in ("search_entry", "conversations_message", "conversations_membership"):
                cursor.execute(f"VACUUM ANALYZE {table}")


def _steps(start: int, end: int) -> Iterator[range]:
    for first in range(start, end, STEP):
        yield range(first, min(first + STEP, end))


def _search(user: User, text: str) -> float:
    """Return the CPU time of a search: of this thread, which is also SQLite's, and of PostgreSQL's process
    for this connection."""
    before = _cpu_seconds()
    queries.search(user, parse(text))
    return _cpu_seconds() - before


def _cpu_seconds() -> float:
    if connection.vendor != "postgresql":
        return time.thread_time()
    connection.ensure_connection()
    pid: int = connection.connection.info.backend_pid
    return time.thread_time() + cpu_seconds(pid)
