"""Creates conversations: long ones by SQL, a million messages in about a minute, and rich ones by REST."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPConnection
from urllib.parse import quote

import psycopg

from benchmarks.rest import call

_BATCH = 50_000

_FILL = """
INSERT INTO conversations_message
    (conversation_id, seq, version, kind, author_id, key, fingerprint, body, html, created_at)
SELECT %(room)s, n, n, 'text', authors.ids[1 + n %% cardinality(authors.ids)],
    'talk-' || %(room)s || '-' || n, '0123456789abcdef'::bytea,
    'Word ' || n || ' of a long conversation', '<p>Word ' || n || ' of a long conversation</p>',
    now() - interval '3650 days' + n * interval '10 seconds'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
    (SELECT array_agg(user_id ORDER BY user_id) AS ids FROM conversations_membership
     WHERE conversation_id = %(room)s) AS authors
"""
_COUNT = (
    "UPDATE conversations_conversation SET last_seq = %(n)s, version = %(n)s WHERE id = %(room)s"
)
_READ = (
    "UPDATE conversations_membership SET last_read_seq = last_seq"
    " FROM conversations_conversation AS room WHERE room.id = conversation_id"
    " AND conversation_id = %(room)s"
)

RICH_WORDS = "The **quick** brown fox jumps over @Guest 1 and https://example.org/lazy/dog."
_REACTIONS = ("👍", "👍", "🎉")  # each by another member
_QUOTE_EVERY, _REACTIONS_EVERY = 4, 3  # messages


def fill(database: str, room: int, count: int) -> None:
    """Insert `count` messages into an empty room, by its members in turns, and read by all of them."""
    with psycopg.connect(database, autocommit=True) as connection:
        for first in range(1, count + 1, _BATCH):
            last = min(first + _BATCH - 1, count)
            connection.execute(_FILL, {"room": room, "first": first, "last": last})
        connection.execute(_COUNT, {"room": room, "n": count})
        connection.execute(_READ, {"room": room})
        connection.execute("VACUUM ANALYZE conversations_message")


def talk_richly(database: str, port: int, tokens: Sequence[str], room: int, count: int) -> None:
    """Send `count` messages with bold text, a mention and a link, by the members in turns.

    Every fourth quotes the one before, and every third gets three reactions. Uses REST, so that any
    version of Chatty renders and stores them in its own way.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    previous: int | None = None
    for number in range(count):
        body: dict[str, str | int | None] = {
            "key": f"rich-{room}-{number}",
            "body": f"{number} {RICH_WORDS}",
        }
        if number % _QUOTE_EVERY == _QUOTE_EVERY - 1:
            body["reply_to"] = previous
        path = f"/api/conversations/{room}/messages/"
        previous = call(connection, tokens[number % len(tokens)], "POST", path, body)["id"]
        if number % _REACTIONS_EVERY == 0:
            for token, emoji in zip(tokens, _REACTIONS, strict=False):
                path = f"/api/messages/{previous}/reactions/{quote(emoji)}/"
                call(connection, token, "PUT", path)
    connection.close()
    with psycopg.connect(database, autocommit=True) as rows:
        rows.execute(_READ, {"room": room})
