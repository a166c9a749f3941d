"""Background work on the index: chatty/jobs/."""

from __future__ import annotations

from chatty.jobs import queue
from chatty.jobs.upkeep import EVERY_SECONDS
from conversations.search import rebuild
from conversations.search.grams import structural_gram
from conversations.search.index import CONVERSATION
from conversations.search.keys import has_former_keys, keys_in_use
from conversations.search.locks import share_index
from conversations.search.storage import Condition, storage

REMOVE = "remove_search_entries"
BATCH = 50  # entries removed in one transaction


def register() -> None:
    queue.register(REMOVE, remove_conversation)
    queue.register("rebuild_search", rebuild_if_needed, recurring=True)
    queue.register("tidy_search", tidy, recurring=True)


def remove_conversation(conversation_id: int) -> queue.Again | None:
    """Remove some entries of a deleted conversation, whose messages may be gone."""
    # A step of a rebuild that began before the deletion could write some of them after the last were removed.
    share_index()
    gram = structural_gram(CONVERSATION, conversation_id)
    conditions = [Condition(key.hash([gram]), []) for key in keys_in_use()]
    found = storage().find_removable(conditions, conversation_id, BATCH) if conditions else []
    storage().remove(found)
    return queue.again() if found else None


def rebuild_if_needed() -> queue.Again:
    """Write some entries again if the key has changed, or if a rebuild was interrupted."""
    needed = has_former_keys() or rebuild.is_unfinished()
    goes_on = needed and rebuild.step() is not None
    return queue.again(0.0 if goes_on else EVERY_SECONDS)


def tidy() -> queue.Again:
    """Remove some hashes of deleted entries from SQLite's file."""
    return queue.again(0.0 if storage().tidy() else EVERY_SECONDS)
