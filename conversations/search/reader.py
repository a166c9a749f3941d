"""Keeps the index up to date: a reader of the change feed."""

from __future__ import annotations

from conversations import changefeed
from conversations.search.index import index_messages
from conversations.search.locks import share_index
from conversations.search.models import DeletedConversation


def register() -> None:
    changefeed.register(changefeed.Reader(name="search", starts="beginning", handle=handle))


def handle(batch: changefeed.Batch) -> None:
    share_index()
    new = {change.message_id for change in batch.messages if change.created}
    index_messages([change.message_id for change in batch.messages], new=new)
    gone = [DeletedConversation(conversation_id=pk) for pk in batch.deleted_conversations]
    DeletedConversation.objects.bulk_create(gone, ignore_conflicts=True)
