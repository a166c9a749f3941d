"""Asking to join a group, and deciding on it."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.limiter import bucket, limiter
from chatty.common.link_tokens import hash_token
from chatty.common.spending import spending
from chatty.common.text import clean_note
from conversations import access, publisher
from conversations.actions.members import add_membership
from conversations.actions.rules import (
    active_user,
    require_open_account,
    require_room_for_members,
    require_room_to_be_added,
    require_room_to_join,
)
from conversations.actions.transactions import in_transaction
from conversations.changes import JoinRequestChanged, JoinRequestsChanged
from conversations.join_requests import queries, rules
from conversations.join_requests.links import make_token
from conversations.join_requests.models import NOTE_MAX, JoinLink, JoinRequest
from conversations.models import Membership

_State = JoinRequest.State

AGAIN_AFTER = timedelta(days=1)  # since it was declined


@in_transaction
def make_link(user: User, conversation_id: int) -> JoinLink:
    """Make the address with which people ask to join a group. The former one ends.

    Raises ChatError: not_found, not_allowed, direct_fixed, archived.
    """
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = access.require(rules.ACCEPT.name, membership)
    nonce = secrets.token_hex(16)
    link, _created = JoinLink.objects.update_or_create(
        conversation=conversation,
        defaults={
            "nonce": nonce,
            "token_hash": hash_token(make_token(nonce)),
            "created_by": membership.user,
            "created_at": timezone.now(),
        },
    )
    return link


@in_transaction
def revoke_link(user: User, conversation_id: int) -> None:
    """End the address. Requests that were made with it stay. Raises ChatError: not_found, not_allowed."""
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = access.require(rules.ANSWER.name, membership)
    JoinLink.objects.filter(conversation=conversation).delete()


def find_link(user: User, token: str) -> JoinLink:
    """Return the link of an address. Raises ChatError("not_found" | "slow_down")."""
    guesses = [bucket("join_links", str(user.pk))]
    limiter.take(guesses)  # before, or the limit would only be for those that are wrong
    link = queries.link_by_token(token)
    if link is None:
        raise ChatError("not_found")
    limiter.put_back_all(guesses)
    return link


def ask_to_join(user: User, token: str, note: str = "") -> JoinRequest:
    """Ask the admins of the group with this address. Asking again while it waits changes nothing.

    Raises ChatError: not_found, already_member, archived, not_allowed (asking was blocked), too_many,
    slow_down, too_long or bad_text (`note`).
    """
    link = find_link(user, token)
    note = clean_note(note, field="note", max_length=NOTE_MAX)
    existing = queries.request_by(user, link.conversation_id)
    if existing is not None and existing.state == _State.WAITING:
        return existing
    with spending("join_requests", str(user.pk)):
        return _ask(user, link.conversation_id, link.token_hash, note)


@in_transaction
def _ask(user: User, conversation_id: int, token_hash: str, note: str) -> JoinRequest:
    conversation = access.lock_conversation(conversation_id)
    user = require_open_account(user)
    # It may have been revoked while we waited.
    if not JoinLink.objects.filter(conversation=conversation, token_hash=token_hash).exists():
        raise ChatError("not_found")
    if Membership.objects.filter(conversation=conversation, user=user).exists():
        raise ChatError("already_member", _("You’re already a member."))
    if conversation.is_archived:
        raise ChatError("archived")
    require_room_to_join(user.pk)
    request = queries.request_by(user, conversation_id)
    if request is not None and request.state == _State.WAITING:
        return request
    if request is not None:
        _require_may_ask_again(request)
    if queries.waiting_number(conversation_id) >= queries.WAITING_MAX:
        raise ChatError("too_many", _("Too many people are waiting already. Try again later."))
    request = request or JoinRequest(conversation=conversation, user=user)
    request.state, request.note = _State.WAITING, note
    request.name = conversation.name_for_outsiders
    request.created_at, request.decided_at, request.decided_by = timezone.now(), None, None
    request.save()
    _publish(request, _State.WAITING)
    return request


def may_ask_again(request: JoinRequest) -> bool:
    """Return whether enough time has passed. Someone who is blocked finds out by trying."""
    return _wait(request) <= timedelta(0)


def _wait(request: JoinRequest) -> timedelta:
    """Return how long to wait before asking again, not above zero if that is over."""
    return (request.decided_at or request.created_at) + AGAIN_AFTER - timezone.now()


def _require_may_ask_again(request: JoinRequest) -> None:
    if request.state == _State.BLOCKED:
        raise ChatError("not_allowed", _("You can’t ask to join this conversation again."))
    wait = _wait(request)
    if wait > timedelta(0):
        sentence = _("Your request was declined. You can ask again in a day.")
        raise ChatError("slow_down", sentence, retry_after=wait.total_seconds())


@in_transaction
def withdraw(user: User, conversation_id: int) -> None:
    """Take back one's own request. Raises ChatError("not_found") if none is waiting."""
    own = JoinRequest.objects.filter(conversation=conversation_id, user=user)
    # In one statement: an admin may be blocking them at the same time.
    gone, _rows = own.filter(state=_State.WAITING).delete()
    if not gone:
        raise ChatError("not_found")
    _publish_number(conversation_id)


@in_transaction
def accept(user: User, conversation_id: int, user_id: int) -> None:
    """Add someone who has asked. Raises ChatError: not_found, not_allowed, archived, too_many."""
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = access.require(rules.ACCEPT.name, membership)
    _waiting(conversation_id, user_id)
    person = active_user(user_id)
    require_room_for_members(conversation, 1)
    require_room_to_be_added([person])
    # Removes the request, see receivers.py.
    add_membership(conversation, person, by=membership.user)


@in_transaction
def decline(user: User, conversation_id: int, user_id: int, *, block: bool = False) -> None:
    """Decline a request. `block`: they can't ask again.

    Raises ChatError: not_found, not_allowed.
    """
    membership = access.member_of(user, conversation_id, lock=True)
    access.require(rules.ANSWER.name, membership)
    request = _waiting(conversation_id, user_id)
    request.state = _State.BLOCKED if block else _State.DECLINED
    request.decided_at, request.decided_by = timezone.now(), membership.user
    request.save()
    # Whether asking was blocked is no news: they find out if they try.
    _publish(request, _State.DECLINED)


@in_transaction
def unblock(user: User, conversation_id: int, user_id: int) -> None:
    """Let someone ask again. Repeating it changes nothing. Raises ChatError: not_found, not_allowed."""
    membership = access.member_of(user, conversation_id, lock=True)
    access.require(rules.ANSWER.name, membership)
    blocked = JoinRequest.objects.filter(conversation=conversation_id, user=user_id)
    blocked.filter(state=_State.BLOCKED).delete()


def _waiting(conversation_id: int, user_id: int) -> JoinRequest:
    request = JoinRequest.objects.filter(
        conversation=conversation_id, user=user_id, state=_State.WAITING
    ).first()
    if request is None:
        raise ChatError("not_found", _("This request has been answered or withdrawn."))
    return request


# --- live -----------------------------------------------------------------------------------------------


def _publish(request: JoinRequest, state: str) -> None:
    """Send the state to the person who has asked, and to the admins how many are waiting."""
    changed = JoinRequestChanged(request.conversation_id, request.user_id, str(state))
    publisher.publish_after_commit(changed)
    _publish_number(request.conversation_id)


def note_joined(conversation_id: int, user_id: int) -> None:
    """Remove the request of someone who has become a member, in whichever way."""
    gone, _rows = JoinRequest.objects.filter(conversation=conversation_id, user=user_id).delete()
    if gone:
        publisher.publish_after_commit(JoinRequestChanged(conversation_id, user_id, "accepted"))
        _publish_number(conversation_id)


def _publish_number(conversation_id: int) -> None:
    number = queries.waiting_number(conversation_id)
    managers = tuple(queries.manager_ids(conversation_id))
    publisher.publish_after_commit(JoinRequestsChanged(conversation_id, number, managers))
