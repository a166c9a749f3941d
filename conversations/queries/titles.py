"""What conversations are called: by their name, or by the names of the people in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.utils.translation import gettext as _

from accounts.models import User
from accounts.wire import PersonOut, person_to_wire
from chatty.common.rows import columns_of, instance_maker
from chatty.statements import fetch_rows, in_ids, list_ids
from conversations.models import Conversation, Membership

# Who a group without a name is titled by.
NAMES_IN_TITLE = 20


def names_as_title(names: Sequence[str]) -> str:
    """Return the title of a group without a name: the names of the other members."""
    return ", ".join(names) or _("Only you")


def other_people(user: User, direct_keys: Mapping[int, str]) -> dict[int, User]:
    """Return conversation id -> the other person; for notes to yourself, the user."""
    other_id = {pk: other_of(key, user.pk) for pk, key in direct_keys.items()}
    wanted = {pk for pk in other_id.values() if pk != user.pk}
    people: dict[int, User] = {}
    if wanted:
        columns = columns_of(User, "u")
        rows = fetch_rows(
            f"SELECT {columns} FROM accounts_user u WHERE u.id {in_ids()}",  # noqa: S608
            [list_ids(wanted)],
        )
        people = {person.pk: person for person in map(instance_maker(User), rows)}
    return {conversation: people.get(pk, user) for conversation, pk in other_id.items()}


def other_of(direct_key: str, user_id: int) -> int:
    """Return the id of the other person in a direct message (the user's own, for notes to yourself)."""
    low, high = (int(part) for part in direct_key.split("-"))
    return high if low == user_id else low


def other_person(conversation: Conversation, user: User) -> PersonOut | None:
    """Return the other person in a direct message (the user, for notes to yourself), None for a group.
    One query for a direct message."""
    if not conversation.direct_key:
        return None
    others = other_people(user, {conversation.pk: conversation.direct_key})
    return person_to_wire(others[conversation.pk])


def title(conversation: Conversation, user: User) -> str:
    """Return the title of a conversation for this member. One query, unless it has a name."""
    if conversation.name:
        return conversation.name
    other = other_person(conversation, user)
    if other:
        return other.name
    others = Membership.objects.filter(conversation=conversation).exclude(user=user)
    names = others.order_by("user__name", "user_id").values_list("user__name", flat=True)
    return names_as_title(sorted(names[:NAMES_IN_TITLE]))


def titles_of_unnamed(conversation_ids: Collection[int], user: User) -> dict[int, str]:
    """Return id -> title of groups without a name, as title() does. One query."""
    names: dict[int, list[str]] = {pk: [] for pk in conversation_ids}
    others = Membership.objects.filter(conversation__in=list(names)).exclude(user=user)
    rows = others.order_by("user__name", "user_id").values_list("conversation_id", "user__name")
    for pk, name in rows:
        names[pk].append(name)
    return {pk: names_as_title(sorted(each[:NAMES_IN_TITLE])) for pk, each in names.items()}
