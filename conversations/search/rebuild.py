"""Writes all entries again, in small steps, while the index is in use.

Needed when the secret key has changed, and when entries are missing or wrong: after a repair of the database,
or when another program has written messages.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import QuerySet

from chatty.common.numbers import NUMBER_MAX
from conversations.models import Message
from conversations.search.index import index_messages
from conversations.search.keys import current_key, forget_former_keys
from conversations.search.locks import lock_index
from conversations.search.models import IndexState
from conversations.search.storage import storage

STEP = 100  # messages in one transaction


def steps(*, restart: bool = False) -> Iterator[int]:
    """Write all entries again with the current key, and remove those that belong to no message.

    Yields the number of messages done after each short transaction. Another process can do the same at the
    same time: then they share the work. One that is interrupted is continued by the next, unless `restart`.
    """
    if restart:
        IndexState.objects.update(rebuilt_to=None)
    begin = True
    while True:
        with transaction.atomic():
            done = step(begin=begin)
        if done is None:
            return
        yield done
        begin = False


def is_unfinished() -> bool:
    return IndexState.objects.filter(rebuilt_to__isnull=False).exists()


def progress() -> tuple[int, int]:
    """Return how many messages an unfinished rebuild has done, and how many there are."""
    key = current_key().check
    state = IndexState.objects.filter(rebuilt_to__isnull=False, rebuild_key=key).first()
    messages = _messages()
    done = messages.filter(pk__lte=state.rebuilt_to).count() if state else 0
    return done, messages.count()


def step(*, begin: bool = True) -> int | None:
    """Write the entries of some messages again. Returns of how many, None at the end. Must be called in a
    transaction. `begin`: with the first message, if no rebuild is unfinished."""
    lock_index()
    state, _created = IndexState.objects.get_or_create(pk=1)
    key = current_key()
    if state.rebuilt_to is None and not begin:
        return None  # another process has written the last ones
    if state.rebuilt_to is None or state.rebuild_key != key.check:
        state.rebuilt_to, state.rebuild_key = 0, key.check
    start = state.rebuilt_to + 1
    rows = _messages().filter(pk__gte=start).order_by("pk")
    ids = list(rows.values_list("pk", flat=True)[:STEP])
    end = ids[-1] + 1 if ids else NUMBER_MAX
    storage().remove_others(start, end, ids)
    index_messages(ids)
    state.rebuilt_to = ids[-1] if ids else None
    state.save(update_fields=["rebuilt_to", "rebuild_key"])
    if ids:
        return len(ids)
    forget_former_keys()
    return None


def _messages() -> QuerySet[Message]:
    # Entries of a deleted conversation are removed only once, maybe long before its messages: see jobs.py.
    return Message.objects.filter(conversation__deleted_at=None)
