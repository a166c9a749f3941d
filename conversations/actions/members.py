"""Members of groups and their roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from chatty.common.spending import spending
from conversations import access, permissions
from conversations.actions.log import write_notice
from conversations.actions.ownership import find_next_owner, set_role
from conversations.actions.rules import (
    active_users,
    check_role,
    clean_ids,
    get_member,
    is_deserted,
    require_another_owner,
    require_open_account,
    require_room_for_members,
    require_room_to_be_added,
    require_room_to_join,
)
from conversations.actions.slow_mode import last_post
from conversations.actions.transactions import in_transaction
from conversations.models import Conversation, Departure, Membership, Message, Removal


def join(user: User, conversation_id: int) -> Membership:
    """Join a public conversation. Joining again changes nothing.

    Raises ChatError: not_found (also for private ones), removed, archived, too_many, slow_down.
    """
    with spending("joins", str(user.pk)):
        membership, is_new = join_uncounted(user, conversation_id)
    if not is_new:
        limiter.put_back("joins", str(user.pk))
    return membership


@in_transaction
def join_uncounted(user: User, conversation_id: int) -> tuple[Membership, bool]:
    """Join as join() does, without counting it against the user's limit. Return the membership, and whether
    it is new."""
    conversation = access.lock_conversation(conversation_id)
    user = require_open_account(user)
    existing = Membership.objects.filter(conversation=conversation, user=user).first()
    if existing is not None:
        return existing, False
    was_removed = Removal.objects.filter(conversation=conversation, user=user).exists()
    role = permissions.FORMER if was_removed else permissions.OUTSIDER
    access.require_as(role, "join", conversation)
    require_room_for_members(conversation, 1)
    require_room_to_join(user.pk)
    role = Membership.Role.OWNER if is_deserted(conversation) else Membership.Role.MEMBER
    membership = make_member(conversation, user, role)
    write_notice(conversation, user, Message.Kind.JOINED, came=(user.pk,))
    return membership, True


@in_transaction
def leave(user: User, conversation_id: int, *, next_owner: int | None = None) -> None:
    """Leave a group. If its last owner leaves, the ownership is passed on.

    `next_owner`: the id of the member to pass it on to; None: see ownership.py. Raises ChatError: not_found
    (also if that person isn't a member), direct_fixed.
    """
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = access.require("leave", membership)
    if heir := find_next_owner(membership, next_owner):
        set_role(heir, Membership.Role.OWNER, by=user)
    membership.delete()
    release_people(conversation)
    Departure.objects.update_or_create(
        conversation=conversation, user=user, defaults={"left_at": timestamps.now()}
    )
    write_notice(conversation, user, Message.Kind.LEFT, gone=(user.pk,))


def add_members(user: User, conversation_id: int, user_ids: Iterable[int]) -> list[Membership]:
    """Add people to a group and return the new memberships. Members are skipped.

    People who were removed earlier can be added again. Raises ChatError: not_found (the conversation or
    a person), not_allowed, archived, too_many, slow_down.
    """
    ids = clean_ids(user_ids)
    with take_additions(user, len(ids)):
        return _add_members(user, conversation_id, ids)


@contextmanager
def take_additions(user: User, number: int) -> Iterator[None]:
    """Count added people against the user's daily limit. If the block raises ChatError, they don't count.

    Call this outside the transaction. Raises ChatError("slow_down").
    """
    if not number:
        yield
        return
    with spending("additions", str(user.pk), number):
        yield


@in_transaction
def _add_members(user: User, conversation_id: int, ids: set[int]) -> list[Membership]:
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = access.require("add", membership)
    present = Membership.objects.filter(conversation=conversation, user_id__in=ids)
    people = active_users(ids - set(present.values_list("user_id", flat=True)))
    require_room_for_members(conversation, len(people))
    require_room_to_be_added(people)
    return [add_membership(conversation, person, by=membership.user) for person in people]


@in_transaction
def remove_member(user: User, conversation_id: int, user_id: int) -> None:
    """Remove a member from a group. To leave, use leave().

    Raises ChatError: not_found, not_allowed, direct_fixed.
    """
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = access.require("remove", membership)
    target = get_member(conversation, user_id)
    if user_id == user.pk or not access.can_remove(membership, target):
        raise ChatError("not_allowed")
    remove_membership(target, by=membership.user)


@in_transaction
def allow_to_join(user: User, conversation_id: int, user_id: int) -> None:
    """Allow someone who was removed to join again. Repeating it changes nothing.

    Raises ChatError: not_found, not_allowed, direct_fixed.
    """
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = access.require("allow-to-join", membership)
    Removal.objects.filter(conversation=conversation, user_id=user_id).delete()


@in_transaction
def change_role(user: User, conversation_id: int, user_id: int, role: str) -> Membership:
    """Change a member's role. Raises ChatError: invalid, not_found, not_allowed, last_owner, archived."""
    check_role(role)
    membership = access.member_of(user, conversation_id, lock=True)
    target = get_member(access.require("change-role", membership), user_id)
    if not access.can_change_role(membership, target, role):
        raise ChatError("not_allowed")
    if role != Membership.Role.OWNER:
        require_another_owner(target)
    return set_role(target, role, by=membership.user)


def add_membership(conversation: Conversation, person: User, *, by: User) -> Membership:
    """Add a person to a locked group, and delete the record of an earlier removal."""
    Removal.objects.filter(conversation=conversation, user=person).delete()
    release_people(conversation)
    membership = make_member(conversation, person, Membership.Role.MEMBER, unopened=True)
    data = {"user": person.pk, "name": person.name}
    write_notice(conversation, by, Message.Kind.ADDED, data, came=(person.pk,))
    return membership


def add_invited(person: User, conversation: Conversation, *, invited_by: User) -> Membership:
    """Add a person who accepts an invitation to a locked group, and delete the record of an earlier removal.

    The caller checks that the invitation is valid for this group and person. Raises ChatError: too_many.
    """
    require_room_for_members(conversation, 1)
    require_room_to_join(person.pk)
    Removal.objects.filter(conversation=conversation, user=person).delete()
    release_people(conversation)
    membership = make_member(conversation, person, Membership.Role.MEMBER)
    data = {"joined": "invited", "user": invited_by.pk, "name": invited_by.name}
    write_notice(conversation, person, Message.Kind.JOINED, data, came=(person.pk,))
    return membership


def remove_membership(target: Membership, *, by: User) -> None:
    """Remove a member from a locked group, and keep them from joining again. The last owner's ownership is
    passed on."""
    if heir := find_next_owner(target):
        set_role(heir, Membership.Role.OWNER, by=by)
    user_id = target.user_id
    data = {"user": user_id, "name": target.user.name}
    target.delete()
    release_people(target.conversation)
    Removal.objects.update_or_create(
        conversation=target.conversation,
        user_id=user_id,
        defaults={"removed_by": by, "removed_at": timestamps.now()},
    )
    write_notice(target.conversation, by, Message.Kind.REMOVED, data, gone=(user_id,))


def release_people(conversation: Conversation) -> None:
    """Before others are in a locked group than those it was opened for: a new message to them then gets a new
    one, which the others can't read."""
    if conversation.people_key is not None:
        conversation.people_key = None
        conversation.save(update_fields=["people_key"])


def make_member(
    conversation: Conversation, user: User, role: str, *, unopened: bool = False
) -> Membership:
    """`unopened`: they were added by someone else."""
    # Messages from before they joined are visible, but don't count as unread.
    return Membership.objects.create(
        conversation=conversation,
        user=user,
        role=role,
        joined_at=timestamps.now(),
        last_read_seq=conversation.last_seq,
        unopened=unopened,
        posted_at=last_post(conversation, user),
    )
