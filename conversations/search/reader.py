"""Keeps the index up to date: a reader of the change feed."""

from __future__ import annotations

from chatty.jobs import queue
from conversations import changefeed
from conversations.search import jobs
from conversations.search.index import index_messages


def register() -> None:
    changefeed.register(changefeed.Reader(name="search", starts="beginning", handle=handle))


def handle(batch: changefeed.Batch) -> None:
    new = {change.message_id for change in batch.messages if change.created}
    index_messages([change.message_id for change in batch.messages], new=new)
    for pk in batch.deleted_conversations:
        queue.enqueue(jobs.REMOVE, {"conversation_id": pk}, key=str(pk))
