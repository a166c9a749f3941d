"""Creates long conversations by SQL in the database: a million messages in about a minute."""

from __future__ import annotations

import psycopg

_BATCH = 50_000

_FILL = """
INSERT INTO conversations_message
    (conversation_id, seq, version, kind, author_id, key, fingerprint, body, html, created_at)
SELECT %(room)s, n, n, 'text', author.user_id, 'talk-' || %(room)s || '-' || n,
    '0123456789abcdef'::bytea, 'Word ' || n || ' of a long conversation',
    '<p>Word ' || n || ' of a long conversation</p>',
    now() - interval '3650 days' + n * interval '10 seconds'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
    (SELECT user_id FROM conversations_membership WHERE conversation_id = %(room)s
     ORDER BY user_id LIMIT 1) AS author
"""
_COUNT = (
    "UPDATE conversations_conversation SET last_seq = %(n)s, version = %(n)s WHERE id = %(room)s"
)


def fill(database: str, room: int, count: int) -> None:
    """Insert `count` messages by one of its members into an empty room."""
    with psycopg.connect(database, autocommit=True) as connection:
        for first in range(1, count + 1, _BATCH):
            last = min(first + _BATCH - 1, count)
            connection.execute(_FILL, {"room": room, "first": first, "last": last})
        connection.execute(_COUNT, {"room": room, "n": count})
        connection.execute("VACUUM ANALYZE conversations_message")
