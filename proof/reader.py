"""A reader of the change feed that keeps a copy of all messages, and counts how often each was new.

After a trial the copy must equal the messages, and each must have been new once.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from conversations import changefeed
from conversations.models import Message

NAME = "proof"
CREATE_TABLE = (
    "CREATE TABLE proof_copy (message_id bigint PRIMARY KEY, version bigint NOT NULL, "
    "body text NOT NULL, deleted boolean NOT NULL, times_new integer NOT NULL)"
)
_COPY = """
    INSERT INTO proof_copy (message_id, version, body, deleted, times_new) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (message_id) DO UPDATE SET version = excluded.version, body = excluded.body,
    deleted = excluded.deleted, times_new = proof_copy.times_new + excluded.times_new"""


def register() -> None:
    changefeed.register(changefeed.Reader(NAME, "beginning", lambda batch: handle(batch)))


def handle(batch: changefeed.Batch) -> None:
    new = {each.message_id: int(each.created) for each in batch.messages}
    rows: list[tuple[Any, ...]] = [
        (row.pk, row.version, row.body, row.is_deleted, new[row.pk])
        for row in Message.objects.filter(pk__in=new)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_COPY, rows)
