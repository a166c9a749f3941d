"""Every deed in a conversation: one transaction that locks, allows and saves; then it is told.

All doors (socket, form, REST, admin, commands) come through here, so a rule is written once. What is
to be told is put together inside the transaction, from the rows as this version has them, and told
only after the commit. Inputs are checked before the first lock: nothing slow happens under one.

Raises ChatError for every refusal, and nothing else that an entrance would have to know of.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import moments
from chatty.common.errors import ChatError
from chatty.common.text import clean_body, clean_line
from conversations import access, bulk, limits, markdown, notices, queries
from conversations.models import (
    Conversation,
    Instance,
    Membership,
    Message,
    Reaction,
    Reveal,
    new_epoch,
)
from conversations.realtime import fanout, protocol
from conversations.realtime.events import Changed, Concerns, Ended, Event, Personal
from conversations.wire import message_to_wire

P = ParamSpec("P")
R = TypeVar("R")

SERIALIZATION_FAILURES = ("40001", "40P01")  # serialization failure, deadlock: trying again helps
LOCK_NOT_AVAILABLE = "55P03"


def in_transaction(deed: Callable[P, R]) -> Callable[P, R]:
    """Run a deed as one transaction. A deadlock, or a race two people lose to a unique constraint,
    is tried once more: the second time the other's row is there to be seen.

    Raises ChatError("unavailable") when the database cannot be reached (the outcome is then
    unknown) and ChatError("busy") when a lock was not to be had in time.
    """

    @functools.wraps(deed)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        # Inside somebody else's transaction a failed statement spoils theirs: no second try there.
        tries = 1 if connection.in_atomic_block else 2
        while True:
            tries -= 1
            try:
                with transaction.atomic():
                    return deed(*args, **kwargs)
            except (IntegrityError, OperationalError, InterfaceError) as error:
                if tries and is_worth_retrying(error):
                    continue
                refusal = as_refusal(error)
                if refusal is None:
                    raise
                raise refusal from error

    return run


def is_worth_retrying(error: Exception) -> bool:
    return isinstance(error, IntegrityError) or sqlstate(error) in SERIALIZATION_FAILURES


def as_refusal(error: Exception) -> ChatError | None:
    """Return what to answer for a failure of the database, None for a failure of ours."""
    if isinstance(error, IntegrityError):
        return None
    if sqlstate(error) == LOCK_NOT_AVAILABLE or "database is locked" in str(error):
        return ChatError("busy", retry_after=1)
    return ChatError("unavailable", retry_after=1)


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code behind a database error, None when there is none."""
    return getattr(error.__cause__, "sqlstate", None)


# --- saying ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """A message somebody means to send, as it came in: nothing of it has been checked."""

    user_id: int
    conversation_id: int
    key: str
    body: str
    reply_to: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The stored message. `created` is False when the key had been used for it before."""

    message: Message
    created: bool


@dataclass(frozen=True, slots=True)
class _Checked:
    draft: Draft
    body: str
    html: str
    fingerprint: bytes


def send_message(
    user: User, conversation_id: int, *, key: str, body: str, reply_to: int | None = None
) -> Sent:
    """Say something. The same key again, by whatever door, returns the first row.

    Raises ChatError: empty, too_long, bad_text, invalid, key_reused, not_found, archived...
    """
    draft = Draft(user.pk, conversation_id, key, body, reply_to)
    (result,) = send_messages([draft])
    if isinstance(result, ChatError):
        raise result
    return result


def send_messages(
    drafts: Sequence[Draft], *, lock_seconds: float | None = None, skip_locked: bool = False
) -> list[Sent | ChatError]:
    """Store drafts in one transaction and return, in their order, what became of each.

    One refused draft does not hold up the others. `skip_locked`: drafts for conversations that
    somebody else holds locked are answered ChatError("busy") instead of waited for. `lock_seconds`:
    wait so long for locks (PostgreSQL; None: as long as the connection's own limit says).
    Raises ChatError as in_transaction does, for all of them together.
    """
    checked = [_check(draft) for draft in drafts]
    good = [each for each in checked if isinstance(each, _Checked)]
    stored = _store(good, lock_seconds=lock_seconds, skip_locked=skip_locked) if good else []
    results = iter(stored)
    return [each if isinstance(each, ChatError) else next(results) for each in checked]


def _check(draft: Draft) -> _Checked | ChatError:
    try:
        limits.valid_key(draft.key)
        body = clean_body(draft.body, max_length=limits.BODY_MAX)
    except ChatError as refusal:
        return refusal
    return _Checked(draft, body, markdown.render(body), _fingerprint(draft, body))


def _fingerprint(draft: Draft, body: str) -> bytes:
    """Return a keyed hash of what is said where: tells a repetition from another message under the
    same key, and gives away nothing about a text that has been deleted since."""
    said = json.dumps([draft.conversation_id, body, draft.reply_to]).encode()
    key = hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32).digest()
    return hashlib.blake2b(said, key=key, digest_size=16, person=b"chatty.message").digest()


@in_transaction
def _store(
    checked: list[_Checked], *, lock_seconds: float | None, skip_locked: bool
) -> list[Sent | ChatError]:
    """Expected refusals are decided by SELECTs before anything is written; no savepoints."""
    drafts = [each.draft for each in checked]
    if lock_seconds is not None:
        _wait_for_locks(lock_seconds)
    conversations = _lock_conversations({d.conversation_id for d in drafts}, skip_locked)
    # After the lock: a repetition that waited for it sees the row it repeats.
    known = _known_messages(drafts)
    memberships = _memberships(drafts)
    quoted = _quoted(drafts)

    results: list[Sent | ChatError] = []
    fresh: dict[tuple[int, str], tuple[_Checked, Message]] = {}
    first_words: set[int] = set()
    for each in checked:
        draft = each.draft
        who_and_key = (draft.user_id, draft.key)
        # "Once" comes before every other question: who was a member when the message was
        # accepted gets the same answer after leaving, and nobody gets a second row.
        if who_and_key in known:
            results.append(_repeated(known[who_and_key], each))
            continue
        if who_and_key in fresh:
            earlier, message = fresh[who_and_key]
            same = earlier.fingerprint == each.fingerprint
            results.append(Sent(message, False) if same else ChatError("key_reused"))
            continue
        admitted = _admitted(
            draft,
            conversation=conversations.get(draft.conversation_id),
            membership=memberships.get((draft.conversation_id, draft.user_id)),
            reply_to=(reply_to := quoted.get((draft.conversation_id, draft.reply_to or 0))),
            skip_locked=skip_locked,
        )
        if isinstance(admitted, ChatError):
            results.append(admitted)
            continue
        conversation = admitted.conversation
        if conversation.is_direct and conversation.last_seq == 0:
            first_words.add(conversation.pk)
        message = _next_message(conversation, admitted.user, key=draft.key)
        message.body, message.html, message.fingerprint = each.body, each.html, each.fingerprint
        message.reply_to = reply_to
        fresh[who_and_key] = (each, message)
        results.append(Sent(message, True))

    if fresh:
        messages = [message for _draft, message in fresh.values()]
        _insert(messages)
        touched = {m.conversation_id: conversations[m.conversation_id] for m in messages}
        bulk.save_counters(touched.values(), last_text_at=messages[-1].created_at)
        events: list[Event] = [_changed(m, "created", m.author_id) for m in messages]
        fanout.tell_after_commit(*events, *_appearances(conversations[pk] for pk in first_words))
    return results


def _wait_for_locks(seconds: float) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"]
            )


def _lock_conversations(ids: set[int], skip_locked: bool) -> dict[int, Conversation]:
    """In order of id, so that two batches which share conversations cannot wait for each other."""
    # SQLite has no row locks (and no SKIP LOCKED): its transactions are exclusive anyway.
    skip_locked = skip_locked and connection.features.has_select_for_update_skip_locked
    rows = Conversation.objects.select_for_update(no_key=True, skip_locked=skip_locked)
    found = rows.filter(pk__in=ids, deleted_at=None).order_by("pk")
    return {conversation.pk: conversation for conversation in found}


def _known_messages(drafts: Iterable[Draft]) -> dict[tuple[int, str], Message]:
    wanted = {(draft.user_id, draft.key) for draft in drafts}
    rows = Message.objects.filter(bulk.messages_with(wanted)).select_related(
        "author", "reply_to__author"
    )
    return {(message.author_id or 0, message.key or ""): message for message in rows}


def _memberships(drafts: Iterable[Draft]) -> dict[tuple[int, int], Membership]:
    wanted = {(draft.conversation_id, draft.user_id) for draft in drafts}
    rows = Membership.objects.filter(bulk.memberships_of(wanted)).select_related("user")
    return {(row.conversation_id, row.user_id): row for row in rows}


def _quoted(drafts: Iterable[Draft]) -> dict[tuple[int, int], Message]:
    ids = {d.reply_to for d in drafts if d.reply_to is not None}
    if not ids:
        return {}
    rows = Message.objects.filter(pk__in=ids, kind=Message.Kind.TEXT).select_related("author")
    return {(message.conversation_id, message.pk): message for message in rows}


def _repeated(message: Message, again: _Checked) -> Sent | ChatError:
    stored = message.fingerprint
    if stored is not None and bytes(stored) != again.fingerprint:
        return ChatError("key_reused")
    return Sent(message, False)


def _admitted(
    draft: Draft,
    *,
    conversation: Conversation | None,
    membership: Membership | None,
    reply_to: Message | None,
    skip_locked: bool,
) -> Membership | ChatError:
    """Return the membership under which a draft may be stored, or why it may not."""
    if membership is None:
        return ChatError("not_found")
    if not membership.user.is_active:
        return ChatError("account_closed")
    if conversation is None:
        # A member, but the row is not among the locked ones: held by somebody else, or deleted.
        return ChatError("busy", retry_after=1) if skip_locked else ChatError("not_found")
    membership.conversation = conversation
    if not access.can_post(membership):
        return ChatError("archived")
    if draft.reply_to is not None and reply_to is None:
        detail = "The message you reply to is not in this conversation."
        return ChatError("not_found", detail, fields={"reply_to": [detail]})
    return membership


# --- changing what was said ------------------------------------------------------------------------


def edit_message(user: User, message_id: int, body: str) -> Message:
    """Replace the words of one's own message. The same words again change nothing.

    Raises ChatError: not_found, not_allowed, deleted, archived, empty, too_long, bad_text.
    """
    body = clean_body(body, max_length=limits.BODY_MAX)
    return _edit(user, message_id, body, markdown.render(body))


@in_transaction
def _edit(user: User, message_id: int, body: str, html: str) -> Message:
    message, membership = access.message_for(user, message_id, lock=True)
    _refuse_unless(access.can_edit(membership, message), message, membership)
    if message.body == body:
        return queries.detailed(message)
    message.body, message.html, message.edited_at = body, html, moments.now()
    return _restamp(message, "edited", user, "body", "html", "edited_at")


@in_transaction
def delete_message(user: User, message_id: int) -> Message:
    """Take back a message: its own author, or who manages the group. A tombstone stays.

    Deleting it again changes nothing. Raises ChatError: not_found, not_allowed, archived.
    """
    message, membership = access.message_for(user, message_id, lock=True)
    if message.is_deleted:
        return queries.detailed(message)
    _refuse_unless(access.can_delete(membership, message), message, membership)
    return _entomb(message, user)


@in_transaction
def moderate_delete_message(staff: User, message_id: int) -> Message:
    """Delete any message, as staff: no membership asked for. Raises ChatError("not_found")."""
    message = _message_for_staff(message_id)
    return queries.detailed(message) if message.is_deleted else _entomb(message, staff)


def _entomb(message: Message, user: User) -> Message:
    message.body = message.html = ""
    message.fingerprint = None
    message.deleted_at = moments.now()
    Reaction.objects.filter(message=message).delete()
    return _restamp(message, "deleted", user, "body", "html", "fingerprint", "deleted_at")


@in_transaction
def react(user: User, message_id: int, emoji: str) -> Message:
    """Put one's emoji on a message. A second time changes nothing.

    Raises ChatError: invalid, not_found, deleted, archived, not_allowed, too_many.
    """
    emoji = limits.valid_emoji(emoji)
    message, membership = access.message_for(user, message_id, lock=True)
    _refuse_unless(access.can_react(membership, message), message, membership)
    there = set(message.reactions.values_list("emoji", flat=True).distinct())
    if emoji not in there and len(there) >= limits.REACTIONS_MAX:
        raise ChatError("too_many", "This message has as many different reactions as fit.")
    _reaction, made = Reaction.objects.get_or_create(
        message=message, user_id=user.pk, emoji=emoji, defaults={"created_at": moments.now()}
    )
    if not made:
        return queries.detailed(message)
    return _restamp(message, "reacted", user, emoji=emoji, on=True)


@in_transaction
def unreact(user: User, message_id: int, emoji: str) -> Message:
    """Take one's emoji off a message. One that is not there changes nothing."""
    emoji = limits.valid_emoji(emoji)
    message, membership = access.message_for(user, message_id, lock=True)
    _refuse_unless(access.can_react(membership, message), message, membership)
    gone, _rows = Reaction.objects.filter(message=message, user_id=user.pk, emoji=emoji).delete()
    if not gone:
        return queries.detailed(message)
    return _restamp(message, "reacted", user, emoji=emoji, on=False)


def _refuse_unless(allowed: bool, message: Message, membership: Membership) -> None:
    if membership.conversation.is_archived:
        raise ChatError("archived")
    if message.is_deleted:
        raise ChatError("deleted")
    if not allowed:
        raise ChatError("not_allowed")


def _restamp(message: Message, deed: str, user: User, *changed: str, **about: Any) -> Message:
    """Take the next version for a change of this message, save it, have it told and return it."""
    conversation = message.conversation
    conversation.version += 1
    message.version = conversation.version
    message.save(update_fields=["version", *changed])
    conversation.save(update_fields=["version"])
    message = queries.detailed(message)
    fanout.tell_after_commit(_changed(message, deed, user.pk, **about))
    return message


# --- opening conversations -------------------------------------------------------------------------


def create_conversation(
    user: User,
    *,
    name: str,
    topic: str = "",
    access: str = Conversation.Access.CLOSED,
    member_ids: Iterable[int] = (),
) -> Conversation:
    """Open a group: its maker owns it, the named people are added.

    Raises ChatError: empty, too_long, bad_text, invalid, too_many, not_found (of a person).
    """
    name = _clean_name(name)
    topic = _clean_topic(topic)
    _check_access(access)
    ids = _clean_ids(member_ids) - {user.pk}
    return _create(user, name, topic, access, ids)


@in_transaction
def _create(user: User, name: str, topic: str, access: str, ids: set[int]) -> Conversation:
    user = _still_open(user)
    _refuse_too_many_conversations(user.pk, *ids)
    now = moments.now()
    conversation = Conversation.objects.create(
        name=name, topic=topic, access=access, created_by=user, created_at=now, last_text_at=now
    )
    _make_member(conversation, user, Membership.Role.OWNER)
    _notice(conversation, user, Message.Kind.CREATED, came=(user.pk,))
    for person in _active_users(ids):
        _admit(conversation, person, by=user)
    return conversation


@in_transaction
def open_direct(user: User, other_id: int) -> Conversation:
    """Return the one conversation of two people, making it at first need; with oneself: notes.

    It appears for the other with its first message. Raises ChatError("not_found").
    """
    user = _still_open(user)
    low, high = sorted((user.pk, other_id))
    key = f"{low}-{high}"
    existing = Conversation.objects.filter(direct_key=key, deleted_at=None).first()
    if existing is not None:
        return existing
    other = _active_user(other_id)
    _refuse_too_many_conversations(user.pk, other.pk)
    now = moments.now()
    conversation = Conversation.objects.create(
        kind=Conversation.Kind.DIRECT,
        direct_key=key,
        created_by=user,
        created_at=now,
        last_text_at=now,
    )
    for person in {user.pk: user, other.pk: other}.values():
        _make_member(conversation, person, Membership.Role.MEMBER)
    bump_clock({user.pk, other.pk})
    fanout.tell_after_commit(Concerns(user.pk, conversation.pk, "added"))
    return conversation


# --- membership ------------------------------------------------------------------------------------


@in_transaction
def join(user: User, conversation_id: int) -> Membership:
    """Become a member of an open conversation. Joining again changes nothing.

    Raises ChatError("not_found") for closed ones as for missing ones; archived; too_many.
    """
    conversation = access.lock_conversation(conversation_id)
    user = _still_open(user)
    existing = Membership.objects.filter(conversation=conversation, user=user).first()
    if existing is not None:
        return existing
    if not conversation.is_open:
        raise ChatError("not_found")
    _refuse_archived(conversation)
    _refuse_too_many_members(conversation, 1)
    _refuse_too_many_conversations(user.pk)
    # A group everybody has left belongs to whoever comes back first.
    deserted = not _memberships_of(conversation).exists()
    role = Membership.Role.OWNER if deserted else Membership.Role.MEMBER
    membership = _make_member(conversation, user, role)
    _notice(conversation, user, Message.Kind.JOINED, came=(user.pk,))
    return membership


@in_transaction
def leave(user: User, conversation_id: int) -> None:
    """Stop being a member. Raises ChatError: not_found, direct_fixed, last_owner."""
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = membership.conversation
    _refuse_direct(conversation)
    _refuse_last_owner(membership)
    membership.delete()
    _notice(conversation, user, Message.Kind.LEFT, gone=(user.pk,))


@in_transaction
def add_members(user: User, conversation_id: int, user_ids: Iterable[int]) -> list[Membership]:
    """Add people to a group; who is in it already is passed over. Returns the new memberships.

    Raises ChatError: not_found (the conversation, or a person), not_allowed, archived, too_many.
    """
    ids = _clean_ids(user_ids)
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = _managed(membership)
    present = Membership.objects.filter(conversation=conversation, user_id__in=ids)
    ids -= set(present.values_list("user_id", flat=True))
    people = _active_users(ids)
    _refuse_too_many_members(conversation, len(people))
    _refuse_too_many_conversations(*ids)
    return [_admit(conversation, person, by=membership.user) for person in people]


@in_transaction
def remove_member(user: User, conversation_id: int, user_id: int) -> None:
    """Take somebody out of a group. Oneself: leave() instead.

    Raises ChatError: not_found, not_allowed, direct_fixed.
    """
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = membership.conversation
    _refuse_direct(conversation)
    target = _member(conversation, user_id)
    if user_id == user.pk or not access.can_remove(membership, target):
        raise ChatError("not_allowed")
    _expel(target, by=membership.user)


@in_transaction
def change_role(user: User, conversation_id: int, user_id: int, role: str) -> Membership:
    """Make a member owner, admin or member. Raises ChatError: invalid, not_found, not_allowed,
    last_owner, archived."""
    if role not in Membership.Role.values:
        raise ChatError("invalid", fields={"role": ["There is no such role."]})
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = _managed(membership)
    target = _member(conversation, user_id)
    if not access.can_change_role(membership, target, role):
        raise ChatError("not_allowed")
    if target.role == role:
        return target
    if role != Membership.Role.OWNER:
        _refuse_last_owner(target)
    target.role = role
    target.save(update_fields=["role"])
    bump_clock({user_id})
    data = {"user": user_id, "name": target.user.name, "role": role}
    _notice(conversation, membership.user, Message.Kind.ROLE, data)
    fanout.tell_after_commit(Concerns(user_id, conversation.pk, "role"))
    return target


def _admit(conversation: Conversation, person: User, *, by: User) -> Membership:
    membership = _make_member(conversation, person, Membership.Role.MEMBER)
    data = {"user": person.pk, "name": person.name}
    _notice(conversation, by, Message.Kind.ADDED, data, came=(person.pk,))
    return membership


def _expel(target: Membership, *, by: User) -> None:
    user_id = target.user_id
    data = {"user": user_id, "name": target.user.name}
    target.delete()
    _notice(target.conversation, by, Message.Kind.REMOVED, data, gone=(user_id,))


def _make_member(conversation: Conversation, user: User, role: str) -> Membership:
    # What was said before one came is there to be read, but not "unread".
    return Membership.objects.create(
        conversation=conversation,
        user=user,
        role=role,
        joined_at=moments.now(),
        last_read_seq=conversation.last_seq,
    )


# --- what a conversation is like -------------------------------------------------------------------


def revise_conversation(
    user: User,
    conversation_id: int,
    *,
    name: str | None = None,
    topic: str | None = None,
    access: str | None = None,
    archived: bool | None = None,
) -> Conversation:
    """Change name, topic or access, archive it or take it out (None: leave as it is): all of it or
    nothing, with one notice for each real change.

    Raises ChatError: empty, too_long, bad_text, invalid, not_found, not_allowed, archived.
    """
    if name is not None:
        name = _clean_name(name)
    if topic is not None:
        topic = _clean_topic(topic)
    if access is not None:
        _check_access(access)
    return _revise(user, conversation_id, name, topic, access, archived)


@in_transaction
def _revise(
    user: User,
    conversation_id: int,
    name: str | None,
    topic: str | None,
    new_access: str | None,
    archived: bool | None,
) -> Conversation:
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = _managed(membership, even_archived=archived is not None)
    if archived is False:
        _unarchive(conversation, membership.user)
    if (name, topic, new_access) != (None, None, None):
        _refuse_archived(conversation)
    if name is not None and name != conversation.name:
        data = {"old": conversation.name, "new": name}
        conversation.name = name
        conversation.save(update_fields=["name"])
        _notice(conversation, membership.user, Message.Kind.RENAMED, data)
    if topic is not None and topic != conversation.topic:
        data = {"old": conversation.topic, "new": topic}
        conversation.topic = topic
        conversation.save(update_fields=["topic"])
        _notice(conversation, membership.user, Message.Kind.TOPIC, data)
    if new_access is not None and new_access != conversation.access:
        conversation.access = new_access
        conversation.save(update_fields=["access"])
        _notice(conversation, membership.user, Message.Kind.ACCESS, {"access": new_access})
    if archived:
        _archive(conversation, membership.user)
    return conversation


@in_transaction
def archive(user: User, conversation_id: int) -> Conversation:
    """Close a group for every change but reading. Archiving again changes nothing."""
    membership = access.member_of(user, conversation_id, lock=True)
    return _archive(_managed(membership, even_archived=True), membership.user)


@in_transaction
def unarchive(user: User, conversation_id: int) -> Conversation:
    """Open an archived group again."""
    membership = access.member_of(user, conversation_id, lock=True)
    return _unarchive(_managed(membership, even_archived=True), membership.user)


def _archive(conversation: Conversation, by: User) -> Conversation:
    if not conversation.is_archived:
        conversation.archived_at = moments.now()
        conversation.save(update_fields=["archived_at"])
        _notice(conversation, by, Message.Kind.ARCHIVED)
    return conversation


def _unarchive(conversation: Conversation, by: User) -> Conversation:
    if conversation.is_archived:
        conversation.archived_at = None
        conversation.save(update_fields=["archived_at"])
        _notice(conversation, by, Message.Kind.UNARCHIVED)
    return conversation


def delete_conversation(user: User, conversation_id: int) -> None:
    """Delete a group for good, with every word in it. Raises ChatError: not_found, not_allowed.

    One transaction ends it for everybody; the rows follow in batches, so that no lock is held for
    long. What a crash leaves of them, purge_deleted() finds.
    """
    _end_conversation(user, conversation_id)
    purge_deleted(conversation_id)


@in_transaction
def _end_conversation(user: User, conversation_id: int) -> None:
    membership = access.member_of(user, conversation_id, lock=True)
    if not access.can_delete_conversation(membership):
        raise ChatError("not_allowed")
    conversation = membership.conversation
    ids = set(_memberships_of(conversation).values_list("user_id", flat=True))
    _memberships_of(conversation).delete()
    conversation.deleted_at = moments.now()
    conversation.save(update_fields=["deleted_at"])
    bump_clock(ids)
    told = [Concerns(user_id, conversation.pk, "deleted") for user_id in sorted(ids)]
    fanout.tell_after_commit(Ended(conversation.pk), *told)


def purge_deleted(conversation_id: int | None = None) -> int:
    """Remove the rows of deleted conversations (or of one). Returns how many messages went."""
    ended = Conversation.objects.filter(deleted_at__isnull=False)
    if conversation_id is not None:
        ended = ended.filter(pk=conversation_id)
    gone = 0
    for conversation in ended:
        while batch := _purge_batch(conversation.pk):
            gone += batch
        with transaction.atomic():
            conversation.delete()
    return gone


@in_transaction
def _purge_batch(conversation_id: int) -> int:
    # Newest first: a message quoted by a later one goes after it.
    rows = Message.objects.filter(conversation_id=conversation_id).order_by("-seq")
    ids = list(rows.values_list("pk", flat=True)[: limits.BULK])
    Reaction.objects.filter(message_id__in=ids).delete()
    # The raw delete leaves out what Django would look up for each row; nothing refers to these now.
    Message.objects.filter(pk__in=ids)._raw_delete(using="default")
    return len(ids)


# --- staff, from the administration: no membership asked for -----------------------------------------


@in_transaction
def moderate_archive(staff: User, conversation_id: int) -> Conversation:
    conversation = access.lock_conversation(conversation_id)
    _refuse_direct(conversation)
    return _archive(conversation, staff)


@in_transaction
def moderate_unarchive(staff: User, conversation_id: int) -> Conversation:
    conversation = access.lock_conversation(conversation_id)
    _refuse_direct(conversation)
    return _unarchive(conversation, staff)


@in_transaction
def moderate_add_member(staff: User, conversation_id: int, user_id: int) -> Membership:
    """Raises ChatError: not_found, direct_fixed, already_member, too_many."""
    conversation = access.lock_conversation(conversation_id)
    _refuse_direct(conversation)
    if _memberships_of(conversation).filter(user_id=user_id).exists():
        raise ChatError("already_member")
    _refuse_too_many_members(conversation, 1)
    _refuse_too_many_conversations(user_id)
    return _admit(conversation, _active_user(user_id), by=staff)


@in_transaction
def moderate_remove_member(staff: User, conversation_id: int, user_id: int) -> None:
    """Raises ChatError: not_found, direct_fixed. The last owner may go: staff can add another."""
    conversation = access.lock_conversation(conversation_id)
    _refuse_direct(conversation)
    _expel(_member(conversation, user_id), by=staff)


@in_transaction
def moderate_change_role(staff: User, conversation_id: int, user_id: int, role: str) -> Membership:
    """Raises ChatError: invalid, not_found, direct_fixed."""
    if role not in Membership.Role.values:
        raise ChatError("invalid", fields={"role": ["There is no such role."]})
    conversation = access.lock_conversation(conversation_id)
    _refuse_direct(conversation)
    target = _member(conversation, user_id)
    if target.role != role:
        target.role = role
        target.save(update_fields=["role"])
        bump_clock({user_id})
        data = {"user": user_id, "name": target.user.name, "role": role}
        _notice(conversation, staff, Message.Kind.ROLE, data)
        fanout.tell_after_commit(Concerns(user_id, conversation_id, "role"))
    return target


@in_transaction
def reveal(staff: User, conversation_id: int, reason: str) -> Reveal:
    """Show this person of the staff what is said in a closed or direct conversation, for
    limits.REVEAL_SECONDS. The reason is kept for ever.

    Raises ChatError: not_allowed, not_found, empty, too_long, bad_text (fields "reason").
    """
    reason = clean_line(reason, field="reason", max_length=limits.REASON_MAX)
    if not (staff.is_active and staff.is_staff):
        raise ChatError("not_allowed")
    conversation = access.lock_conversation(conversation_id)
    return Reveal.objects.create(
        staff=staff,
        conversation=conversation,
        title=queries.title_for_staff(conversation),
        reason=reason,
        # The real time, whatever clock talk is told by: this opens a door and closes it again.
        at=timezone.now(),
    )


# --- one's own view of it --------------------------------------------------------------------------


@in_transaction
def mark_read(user: User, conversation_id: int, seq: int) -> Membership:
    """Note that everything up to `seq` was seen. Never goes back; a seq beyond the last is the last.

    Takes no lock on the conversation: readers must not stand in the writers' way.
    """
    membership = access.member_of(user, conversation_id)
    seq = min(seq, membership.conversation.last_seq)
    moved = Membership.objects.filter(pk=membership.pk, last_read_seq__lt=seq).update(
        last_read_seq=seq
    )
    if moved:
        membership.last_read_seq = seq
        _tell_read(membership)
    return membership


@in_transaction
def mark_unread(user: User, conversation_id: int, seq: int) -> Membership:
    """Make the message at `seq`, and all after it, unread again."""
    membership = access.member_of(user, conversation_id)
    seq = max(0, min(seq, membership.conversation.last_seq) - 1)
    Membership.objects.filter(pk=membership.pk).update(last_read_seq=seq)
    membership.last_read_seq = seq
    _tell_read(membership)
    return membership


@in_transaction
def set_level(user: User, conversation_id: int, level: str) -> Membership:
    """Choose what to be notified of: all, mentions, nothing. Raises ChatError: invalid, not_found."""
    if level not in Membership.Level.values:
        raise ChatError("invalid", fields={"level": ["There is no such level."]})
    membership = access.member_of(user, conversation_id)
    membership.level = level
    membership.save(update_fields=["level"])
    return membership


def _tell_read(membership: Membership) -> None:
    """Only the reader's own sockets: their tabs and devices are to agree."""
    frame = protocol.read(
        conversation=membership.conversation_id,
        user=membership.user_id,
        seq=membership.last_read_seq,
    )
    fanout.tell_after_commit(Personal(membership.user_id, protocol.encode(frame)))


# --- the installation --------------------------------------------------------------------------------


@in_transaction
def renew_epoch() -> str:
    """Begin a new epoch and return it: every client forgets the positions it holds."""
    instance, _made = Instance.objects.update_or_create(pk=1, defaults={"epoch": new_epoch()})
    return instance.epoch


# --- the log ---------------------------------------------------------------------------------------


def _notice(
    conversation: Conversation,
    author: User | None,
    kind: str,
    data: notices.Data | None = None,
    *,
    came: tuple[int, ...] = (),
    gone: tuple[int, ...] = (),
) -> Message:
    """Write a notice into the log of a locked conversation and have it told.

    Name, roles and members change only together with one, so they stand in the same order as the
    words. `came` and `gone`: whose membership this changes.
    """
    message = _next_message(conversation, author, kind=kind, data=data or {})
    _insert([message])
    conversation.save(update_fields=["version", "last_seq"])
    if came or gone:
        bump_clock({*came, *gone})
    deed = _changed(message, "notice", author.pk if author else None, came=came, gone=gone)
    told = [Concerns(pk, conversation.pk, "added") for pk in came]
    told += [Concerns(pk, conversation.pk, "removed") for pk in gone]
    fanout.tell_after_commit(deed, *told)
    return message


def _next_message(conversation: Conversation, author: User | None, **fields: Any) -> Message:
    """Return the next entry of a conversation's log, its counters moved on: both still unsaved."""
    conversation.last_seq += 1
    conversation.version += 1
    return Message(
        conversation=conversation,
        seq=conversation.last_seq,
        version=conversation.version,
        author=author,
        created_at=moments.now(),
        **fields,
    )


def _insert(messages: list[Message]) -> None:
    Message.objects.bulk_create(messages)
    for message in messages:
        # Nobody can have reacted yet: spare the wire the query.
        message._prefetched_objects_cache = {"reactions": []}  # type: ignore[attr-defined]


def _changed(
    message: Message,
    deed: str,
    user_id: int | None,
    *,
    came: tuple[int, ...] = (),
    gone: tuple[int, ...] = (),
    **about: Any,
) -> Changed:
    frame = protocol.message(
        message=message_to_wire(message), change={"deed": deed, "user": user_id, **about}
    )
    return Changed(
        conversation=message.conversation_id,
        version=message.version,
        text=protocol.encode(frame),
        gone=gone,
        came=came,
    )


def _appearances(conversations: Iterable[Conversation]) -> list[Event]:
    """A direct conversation appears for both with its first words."""
    return [
        Concerns(int(user_id), conversation.pk, "added")
        for conversation in conversations
        for user_id in sorted(set((conversation.direct_key or "").split("-")))
    ]


# --- small rules -----------------------------------------------------------------------------------


def _clean_name(name: str) -> str:
    return clean_line(name, field="name", max_length=limits.NAME_MAX)


def _clean_topic(topic: str) -> str:
    return clean_line(topic, field="topic", max_length=limits.TOPIC_MAX, required=False)


def _check_access(value: str) -> None:
    if value not in Conversation.Access.values:
        raise ChatError("invalid", fields={"access": ["Choose open or closed."]})


def _clean_ids(ids: Iterable[int]) -> set[int]:
    found = set(ids)
    if len(found) > limits.ADD_MAX:
        detail = f"At most {limits.ADD_MAX} people can be added in one go."
        raise ChatError("too_many", detail)
    return found


def _still_open(user: User) -> User:
    """Return who is acting, read anew. Raises ChatError("account_closed")."""
    found = User.objects.filter(pk=user.pk, is_active=True).first()
    if found is None:
        raise ChatError("account_closed")
    return found


def _active_user(user_id: int) -> User:
    (user,) = _active_users({user_id})
    return user


def _active_users(ids: set[int]) -> list[User]:
    """Raises ChatError("not_found") unless every one is somebody with an open account."""
    people = list(User.objects.filter(pk__in=ids, is_active=True).order_by("pk"))
    if len(people) != len(ids):
        raise ChatError("not_found", "There is nobody of that description here.")
    return people


def _member(conversation: Conversation, user_id: int) -> Membership:
    members = _memberships_of(conversation).select_related("user")
    target = members.filter(user_id=user_id).first()
    if target is None:
        raise ChatError("not_found", "This person is not a member.")
    target.conversation = conversation
    return target


def _managed(membership: Membership, *, even_archived: bool = False) -> Conversation:
    conversation = membership.conversation
    _refuse_direct(conversation)
    if not access.can_manage(membership):
        raise ChatError("not_allowed")
    if not even_archived:
        _refuse_archived(conversation)
    return conversation


def _refuse_direct(conversation: Conversation) -> None:
    if conversation.is_direct:
        raise ChatError("direct_fixed")


def _refuse_archived(conversation: Conversation) -> None:
    if conversation.is_archived:
        raise ChatError("archived")


def _refuse_last_owner(membership: Membership) -> None:
    """A group of several must keep an owner; the last person may simply go."""
    if not membership.is_owner:
        return
    others = _memberships_of(membership.conversation).exclude(pk=membership.pk)
    if others.exists() and not others.filter(role=Membership.Role.OWNER).exists():
        raise ChatError("last_owner")


def _refuse_too_many_members(conversation: Conversation, more: int) -> None:
    if _memberships_of(conversation).count() + more > limits.MEMBERS_MAX:
        raise ChatError("too_many", f"A conversation has {limits.MEMBERS_MAX:,} members at most.")


def _refuse_too_many_conversations(*user_ids: int) -> None:
    """A socket belongs to all of its user's conversations: their number has to have an end."""
    numbers = Membership.objects.filter(user_id__in=user_ids).values("user_id")
    full = numbers.annotate(number=Count("*")).filter(number__gte=limits.CONVERSATIONS_MAX)
    if full.exists():
        detail = f"A person can be in {limits.CONVERSATIONS_MAX:,} conversations at most."
        raise ChatError("too_many", detail)


def _memberships_of(conversation: Conversation) -> QuerySet[Membership]:
    return Membership.objects.filter(conversation=conversation)


def _message_for_staff(message_id: int) -> Message:
    conversation_id = (
        Message.objects.filter(pk=message_id).values_list("conversation_id", flat=True).first()
    )
    if conversation_id is None:
        raise ChatError("not_found")
    conversation = access.lock_conversation(conversation_id)
    message = Message.objects.select_related("author").get(pk=message_id)
    if not message.is_text:
        raise ChatError("not_allowed")
    message.conversation = conversation
    return message
