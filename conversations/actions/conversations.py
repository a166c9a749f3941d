"""Creating groups and direct messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from chatty.idempotency import keys
from conversations import limits, publisher
from conversations.actions.log import write_notice
from conversations.actions.members import add_membership, make_member, take_additions
from conversations.actions.rules import (
    active_user,
    active_users,
    check_access,
    clean_ids,
    clean_name,
    clean_topic,
    require_open_account,
    require_room_for_direct,
    require_room_to_be_added,
    require_room_to_join,
)
from conversations.actions.transactions import in_transaction
from conversations.events import MembershipChanged
from conversations.models import Audience, Conversation, Membership, Message

_KIND = "conversation"  # of idempotency keys


@dataclass(frozen=True, slots=True)
class Created:
    """`is_new` is False if it was created earlier, with the same key."""

    conversation: Conversation
    is_new: bool


def create_conversation(user: User, **given: Any) -> Conversation:
    """Call create_conversation_once() without a key."""
    return create_conversation_once(user, key=None, **given).conversation


def create_conversation_once(
    user: User,
    *,
    key: str | None,
    name: str,
    topic: str = "",
    access: str = Conversation.Access.CLOSED,
    member_ids: Iterable[int] = (),
) -> Created:
    """Create a group owned by the user, and add people to it. With a key that the user has used before,
    return the group that was created then.

    Raises ChatError: empty, too_long, bad_text, invalid, too_many, slow_down, not_found (a person, or the
    group was deleted), key_reused.
    """
    name = clean_name(name)
    topic = clean_topic(topic)
    check_access(access)
    ids = clean_ids(member_ids) - {user.pk}
    if key is not None:
        limits.valid_key(key)
        if (earlier := _find_created(user, key, [name, topic, access, sorted(ids)])) is not None:
            return earlier
    with take_additions(user, len(ids)):
        return _create(user, key, name, topic, access, ids)


def _find_created(user: User, key: str, sent: list[Any]) -> Created | None:
    pk = keys.find(user.pk, _KIND, key, sent)
    if pk is None:
        return None
    conversation = Conversation.objects.filter(pk=pk, deleted_at=None).first()
    if conversation is None:
        raise ChatError("not_found")
    return Created(conversation, is_new=False)


@in_transaction
def _create(
    user: User, key: str | None, name: str, topic: str, access: str, ids: set[int]
) -> Created:
    sent = [name, topic, access, sorted(ids)]
    if key is not None and (earlier := _find_created(user, key, sent)) is not None:
        return earlier  # from a simultaneous request
    user = require_open_account(user)
    people = active_users(ids)
    require_room_to_join(user.pk)
    require_room_to_be_added(people)
    now = timestamps.now()
    conversation = Conversation.objects.create(
        name=name,
        topic=topic,
        access=access,
        # Anyone can join a public conversation, so anyone can send a link to it.
        inviting=Audience.EVERYONE if access == Conversation.Access.OPEN else Audience.ADMINS,
        created_by=user,
        created_at=now,
        last_text_at=now,
    )
    make_member(conversation, user, Membership.Role.OWNER)
    write_notice(conversation, user, Message.Kind.CREATED, came=(user.pk,))
    for person in people:
        add_membership(conversation, person, by=user)
    if key is not None:
        keys.remember(user.pk, _KIND, key, sent, conversation.pk)
    return Created(conversation, is_new=True)


def open_direct(user: User, other_id: int) -> Conversation:
    """Return the direct message of two people, or create it. The user's own id gives notes to themselves.

    It appears for the other person with its first message. Raises ChatError: not_found, too_many, and
    slow_down when the user has started too many in a day.
    """
    existing = _direct(user, other_id)
    if existing is not None:
        return existing
    with take_additions(user, int(other_id != user.pk)):
        return _create_direct(user, other_id)


def open_with(user: User, user_ids: Iterable[int]) -> Conversation:
    """Return the conversation of exactly these people and the user, or create it: a direct message for one
    person, for several a private group without a name. The same people always get the same one, until others
    join it or some of them leave.

    Raises ChatError: not_found, too_many, slow_down.
    """
    others = clean_ids(user_ids) - {user.pk}
    if len(others) < 2:
        return open_direct(user, next(iter(others), user.pk))
    if (existing := _of_people(others | {user.pk})) is not None:
        return existing
    with take_additions(user, len(others)):
        return _create_together(user, others)


def _of_people(ids: set[int]) -> Conversation | None:
    return Conversation.objects.filter(people_key=people_key(ids), deleted_at=None).first()


def people_key(ids: Iterable[int]) -> str:
    return hashlib.sha256("-".join(map(str, sorted(ids))).encode()).hexdigest()


@in_transaction
def _create_together(user: User, others: set[int]) -> Conversation:
    ids = others | {user.pk}
    user = require_open_account(user)
    if (existing := _of_people(ids)) is not None:
        return existing
    people = active_users(others)
    require_room_to_join(user.pk)
    require_room_to_be_added(people)
    now = timestamps.now()
    conversation = Conversation.objects.create(
        people_key=people_key(ids),
        # Everyone in it is equal, but a group needs an owner.
        adding=Audience.EVERYONE,
        renaming=Audience.EVERYONE,
        created_by=user,
        created_at=now,
        last_text_at=now,
    )
    make_member(conversation, user, Membership.Role.OWNER)
    for person in people:
        make_member(conversation, person, Membership.Role.MEMBER, unopened=True)
    write_notice(conversation, user, Message.Kind.CREATED, came=tuple(sorted(ids)))
    return conversation


def _direct(user: User, other_id: int) -> Conversation | None:
    low, high = sorted((user.pk, other_id))
    return Conversation.objects.filter(direct_key=f"{low}-{high}", deleted_at=None).first()


@in_transaction
def _create_direct(user: User, other_id: int) -> Conversation:
    user = require_open_account(user)
    existing = _direct(user, other_id)
    if existing is not None:
        return existing
    other = active_user(other_id)
    require_room_to_join(user.pk)
    if other.pk != user.pk:
        require_room_for_direct(other)
    now = timestamps.now()
    conversation = Conversation.objects.create(
        kind=Conversation.Kind.DIRECT,
        direct_key="{}-{}".format(*sorted((user.pk, other_id))),
        created_by=user,
        created_at=now,
        last_text_at=now,
    )
    for person in {user.pk: user, other.pk: other}.values():
        make_member(conversation, person, Membership.Role.MEMBER, unopened=person.pk != user.pk)
    bump_clock({user.pk, other.pk})
    publisher.publish_after_commit(MembershipChanged(user.pk, conversation.pk, "added"))
    return conversation
