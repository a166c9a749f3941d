"""Background work on the index. The engine runs it at the start of a process and every hour."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from chatty.common import upkeep
from conversations.search import rebuild
from conversations.search.grams import structural_gram
from conversations.search.index import CONVERSATION
from conversations.search.keys import has_former_keys, keys_in_use
from conversations.search.models import DeletedConversation
from conversations.search.storage import Condition, storage

_BATCH = 50  # entries removed in one transaction


def register() -> None:
    upkeep.register("search entries", tidy)


def tidy() -> Iterator[int]:
    """Remove what belongs to deleted conversations, and hashes of deleted entries from SQLite's file. Write
    all entries again if the key has changed."""
    yield from _remove_conversations()
    if has_former_keys() or rebuild.is_unfinished():
        yield from (0 for _done in rebuild.steps())
    while _tidy_storage():
        yield 0


def _remove_conversations() -> Iterator[int]:
    for row in DeletedConversation.objects.order_by("pk"):
        gram = structural_gram(CONVERSATION, row.conversation_id)
        while True:
            with transaction.atomic():
                conditions = [Condition(key.hash([gram]), []) for key in keys_in_use()]
                found = storage().find_any(conditions, _BATCH) if conditions else []
                storage().remove(found)
                if not found:
                    row.delete()
            if not found:
                break
            yield len(found)


def _tidy_storage() -> bool:
    with transaction.atomic():
        return storage().tidy()
