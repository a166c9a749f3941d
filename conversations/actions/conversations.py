"""Creating groups and direct messages."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import timestamps
from conversations import publisher
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
from conversations.models import Conversation, Membership, Message


def create_conversation(
    user: User,
    *,
    name: str,
    topic: str = "",
    access: str = Conversation.Access.CLOSED,
    member_ids: Iterable[int] = (),
) -> Conversation:
    """Create a group owned by the user, and add people to it.

    Raises ChatError: empty, too_long, bad_text, invalid, too_many, slow_down, not_found (a person).
    """
    name = clean_name(name)
    topic = clean_topic(topic)
    check_access(access)
    ids = clean_ids(member_ids) - {user.pk}
    with take_additions(user, len(ids)):
        return _create(user, name, topic, access, ids)


@in_transaction
def _create(user: User, name: str, topic: str, access: str, ids: set[int]) -> Conversation:
    user = require_open_account(user)
    people = active_users(ids)
    require_room_to_join(user.pk)
    require_room_to_be_added(people)
    now = timestamps.now()
    conversation = Conversation.objects.create(
        name=name, topic=topic, access=access, created_by=user, created_at=now, last_text_at=now
    )
    make_member(conversation, user, Membership.Role.OWNER)
    write_notice(conversation, user, Message.Kind.CREATED, came=(user.pk,))
    for person in people:
        add_membership(conversation, person, by=user)
    return conversation


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
