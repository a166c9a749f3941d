"""Finding people, and conversations to join."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts import queries as account_queries
from accounts.models import User
from chatty.common.folded_names import contains_all
from chatty.common.kept import Kept
from chatty.common.text import fold_loosely
from conversations.models import Conversation, Instance, Membership, Removal

SHARED_SHOWN = 50
WELCOME_SHOWN = 200


def people(
    reader: User,
    *,
    text: str = "",
    limit: int = 20,
    exclude_members_of: Conversation | None = None,
) -> list[User]:
    """Return at most `limit` people found by accounts.queries.find_people(). Two queries.

    Those first whose name has a word that begins with the text, then those with whom the reader has the
    latest direct messages, then by name.
    """
    found = account_queries.find_people(text)
    if exclude_members_of is not None:
        inside = Membership.objects.filter(conversation=exclude_members_of, user_id=OuterRef("pk"))
        found = found.filter(~Exists(inside))
    order: list[Case | str] = ["folded_name", "pk"]
    places = [
        When(pk=pk, then=Value(place)) for place, pk in enumerate(_messaged_last(reader, limit))
    ]
    if places:
        order.insert(0, Case(*places, default=Value(limit)))
    if folded := fold_loosely(text.replace("\0", "")):
        begins = Q(folded_name__startswith=folded) | Q(folded_name__contains=f" {folded}")
        order.insert(0, Case(When(begins, then=Value(0)), default=Value(1)))
    return list(found.order_by(*order)[:limit])


def _messaged_last(reader: User, most: int) -> list[int]:
    """Return with whom the reader has direct messages, the latest first."""
    mine = Membership.objects.filter(user=reader, conversation__kind=Conversation.Kind.DIRECT)
    keys = mine.order_by("-conversation__last_text_at", "-conversation_id").values_list(
        "conversation__direct_key", flat=True
    )
    # One more, because notes to oneself have no other person.
    ids = [int(pk) for key in keys[: most + 1] if key for pk in key.split("-")]
    return [pk for pk in ids if pk != reader.pk][:most]


PEOPLE_TO_TALK_TO = 5
# One more than are shown, because the reader is among them.
_seen_last = Kept(lambda: account_queries.people_seen_last(limit=PEOPLE_TO_TALK_TO + 1))


def kept_people_seen_last(reader: User) -> list[User]:
    """Return at most PEOPLE_TO_TALK_TO people, without the reader: those that used Chatty last, as it was
    within the last second. No more than one query in this time, however many people ask."""
    others = [person for person in _seen_last.get() if person.pk != reader.pk]
    return others[:PEOPLE_TO_TALK_TO]


def forget_seen_last() -> None:
    """Read them again at the next use."""
    _seen_last.forget()


def browse(
    user: User, *, text: str = "", limit: int = 50, after: tuple[str, int] | None = None
) -> list[Conversation]:
    """Return public conversations by name without case and accents, annotated with `members_count`, `joined`
    and `removed` (the user was removed and can't join).

    `after`: (folded_name, id) of the last conversation on the previous page.
    """
    found = _open_groups(user).filter(contains_all(text, "name", "topic"), archived_at=None)
    if after is not None:
        name, pk = after
        found = found.filter(Q(folded_name__gt=name) | Q(folded_name=name, pk__gt=pk))
    return list(found.order_by("folded_name", "pk")[:limit])


def public_called(user: User, text: str, *, limit: int) -> list[int]:
    """Return the ids of public conversations whose name contains each word and that the user can join, latest
    message first. One query."""
    mine = Membership.objects.filter(conversation_id=OuterRef("pk"), user_id=user.pk)
    removed = Removal.objects.filter(conversation_id=OuterRef("pk"), user_id=user.pk)
    found = _public().filter(contains_all(text), ~Exists(mine), ~Exists(removed), archived_at=None)
    return list(found.order_by("-last_text_at", "-pk").values_list("pk", flat=True)[:limit])


def counted(conversation_ids: Collection[int]) -> list[Conversation]:
    """Return these conversations, annotated with `members_count`. One query. Access isn't checked."""
    found = Conversation.objects.filter(pk__in=conversation_ids, deleted_at=None)
    return list(found.annotate(members_count=_members_count()))


def shared_groups(user: User, other: User) -> list[Conversation]:
    """Return groups with a name that both are in, latest message first. At most SHARED_SHOWN; one query."""
    theirs = Membership.objects.filter(conversation_id=OuterRef("pk"), user=other)
    mine = Membership.objects.filter(conversation_id=OuterRef("pk"), user=user)
    found = Conversation.objects.filter(
        Exists(theirs), Exists(mine), kind=Conversation.Kind.GROUP, deleted_at=None
    ).exclude(name="")
    return list(found.order_by("-last_text_at", "-pk")[:SHARED_SHOWN])


def open_group(user: User, conversation_id: int) -> Conversation | None:
    """Return a public conversation, even if archived, with the annotations of browse(); else None."""
    return _open_groups(user).filter(pk=conversation_id).first()


def _open_groups(user: User) -> QuerySet[Any]:
    mine = Membership.objects.filter(conversation_id=OuterRef("pk"), user_id=user.pk)
    removed = Removal.objects.filter(conversation_id=OuterRef("pk"), user_id=user.pk)
    return _public().annotate(
        members_count=_members_count(), joined=Exists(mine), removed=Exists(removed)
    )


def _members_count() -> Coalesce:
    counts = (
        Membership.objects.filter(conversation_id=OuterRef("pk"))
        .order_by()
        .values("conversation_id")
        .annotate(number=Count("*"))
        .values("number")
    )
    return Coalesce(Subquery(counts), Value(0))


def _public() -> QuerySet[Conversation]:
    """Return the public conversations, even if archived."""
    return Conversation.objects.filter(
        kind=Conversation.Kind.GROUP, access=Conversation.Access.OPEN, deleted_at=None
    )


# --- the conversation that new people join: see actions/welcoming.py -----------------------------------


def welcome() -> int | None:
    """Return the id of the conversation that was chosen, None if there is none."""
    return Instance.objects.filter(pk=1).values_list("welcome_id", flat=True).first()


_welcome = Kept(welcome)


def kept_welcome() -> int | None:
    """The same as it was within the last second, for pages: no query."""
    return _welcome.get()


def forget_welcome() -> None:
    """Read it again at the next use."""
    _welcome.forget()


@receiver(post_save, sender=Instance, dispatch_uid="conversations.kept_welcome")
def _forget_after_commit(**kwargs: Any) -> None:
    transaction.on_commit(forget_welcome)


def can_be_welcome(conversation_id: int) -> bool:
    return _public().filter(pk=conversation_id, archived_at=None).exists()


def welcome_choices() -> list[Conversation]:
    """Return the public conversations that new people could join, the first WELCOME_SHOWN by name."""
    return list(_public().filter(archived_at=None).order_by("folded_name", "pk")[:WELCOME_SHOWN])


def suggested_welcome() -> int | None:
    """Return the public conversation that most people are in, to be offered where none was ever chosen. New
    people don't join it before an administrator agrees."""
    counted = _public().filter(archived_at=None).annotate(people=Count("memberships"))
    most = counted.order_by("-people", "pk").first()
    return None if most is None else most.pk
