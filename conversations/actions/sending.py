"""Saying something: many drafts, one transaction, one row per (author, key) for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.text import clean_body
from conversations import access, bulk, limits, markdown, publisher, queries
from conversations.actions.log import change_event, next_message, set_no_reactions
from conversations.actions.read_marks import mark_opened
from conversations.actions.rendering import render_for
from conversations.actions.transactions import in_transaction
from conversations.events import Event, MembershipChanged
from conversations.models import Conversation, Membership, Message


# Structs, since a frozen dataclass takes ten times as long to make.
class Draft(msgspec.Struct, frozen=True):
    """A message somebody means to send, as it came in: nothing of it has been checked.

    With `html` (see rendered()) its body is clean.
    """

    user_id: int
    conversation_id: int
    key: str
    body: str
    reply_to: int | None = None
    html: str | None = None


class Sent(msgspec.Struct, frozen=True):
    """The stored message. `created` is False when the key had been used for it before."""

    message: Message
    created: bool


class _Checked(msgspec.Struct, frozen=True):
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
    draft = render_draft(Draft(user.pk, conversation_id, key, body, reply_to))
    (result,) = send_messages([draft])
    if isinstance(result, ChatError):
        raise result
    return result


def render_draft(draft: Draft) -> Draft:
    """Return the draft with its body clean and its HTML. One that will be refused is returned as it is,
    for send_messages to refuse.

    Raises ChatError("slow_down").
    """
    try:
        body = clean_body(draft.body, max_length=limits.BODY_MAX)
    except ChatError:
        return draft
    html = render_for(draft.user_id, body)
    return Draft(draft.user_id, draft.conversation_id, draft.key, body, draft.reply_to, html)


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
        if draft.html is not None:
            body, html = draft.body, draft.html
        else:
            body = clean_body(draft.body, max_length=limits.BODY_MAX)
            html = markdown.render(body)
    except ChatError as error:
        return error
    return _Checked(draft, body, html, _fingerprint(draft, body))


def _fingerprint(draft: Draft, body: str) -> bytes:
    """Return a keyed hash of what is said where: tells a repetition from another message under the
    same key, and gives away nothing about a text that has been deleted since."""
    text = json.dumps([draft.conversation_id, body, draft.reply_to]).encode()
    keyed = _keyed_hash(settings.SECRET_KEY).copy()
    keyed.update(text)
    return keyed.digest()


@lru_cache(maxsize=1)
def _keyed_hash(secret: str) -> hashlib.blake2b:
    """Return the hash of nothing yet. Only copies of it may be fed."""
    key = hashlib.blake2b(secret.encode(), digest_size=32).digest()
    return hashlib.blake2b(key=key, digest_size=16, person=b"chatty.message")


@in_transaction
def _store(
    checked: list[_Checked], *, lock_seconds: float | None, skip_locked: bool
) -> list[Sent | ChatError]:
    """Expected refusals are decided by SELECTs before anything is written; no savepoints."""
    drafts = [each.draft for each in checked]
    called = queries.find_mentions([(each.draft.conversation_id, each.html) for each in checked])
    context = bulk.lock_send_context(
        conversations={d.conversation_id for d in drafts},
        memberships={(d.conversation_id, d.user_id) for d in drafts},
        keys={(d.user_id, d.key) for d in drafts},
        lock_seconds=lock_seconds,
        skip_locked=skip_locked,
    )
    conversations, memberships = context.conversations, context.memberships
    known = _read_known(context.known)
    quoted = _read_quoted(drafts)

    results: list[Sent | ChatError] = []
    fresh: dict[tuple[int, str], tuple[_Checked, Message]] = {}
    first_words: set[int] = set()
    for each, mentions in zip(checked, called, strict=True):
        draft = each.draft
        who_and_key = (draft.user_id, draft.key)
        membership = memberships.get((draft.conversation_id, draft.user_id))
        # "Once" comes before every other question: who was a member when the message was
        # accepted gets the same answer after leaving, and nobody gets a second row.
        if who_and_key in known:
            results.append(_answer_repetition(known[who_and_key], each, membership))
            continue
        if who_and_key in fresh:
            earlier, message = fresh[who_and_key]
            same = earlier.fingerprint == each.fingerprint
            results.append(Sent(message, False) if same else ChatError("key_reused"))
            continue
        reply_to = quoted.get((draft.conversation_id, draft.reply_to or 0))
        membership_or_error = _check_membership(
            draft,
            conversation=conversations.get(draft.conversation_id),
            membership=membership,
            reply_to=reply_to,
            skip_locked=skip_locked,
        )
        if isinstance(membership_or_error, ChatError):
            results.append(membership_or_error)
            continue
        conversation = membership_or_error.conversation
        if conversation.is_direct and conversation.last_seq == 0:
            first_words.add(conversation.pk)
        message = next_message(conversation, membership_or_error.user)
        message.key = draft.key
        message.body, message.html, message.fingerprint = each.body, each.html, each.fingerprint
        message.renderer = markdown.VERSION
        message.reply_to, message.mentions = reply_to, mentions
        mark_opened(membership_or_error)
        fresh[who_and_key] = (each, message)
        results.append(Sent(message, True))

    if fresh:
        messages = [message for _draft, message in fresh.values()]
        touched = {m.conversation_id: conversations[m.conversation_id] for m in messages}
        bulk.store(messages, touched.values())
        for message in messages:
            set_no_reactions(message)
        events: list[Event] = [change_event(m, "created", m.author_id) for m in messages]
        publisher.publish_after_commit(
            *events, *_first_message_events(conversations[pk] for pk in first_words)
        )
    return results


def _read_known(ids: list[int]) -> dict[tuple[int, str], Message]:
    if not ids:  # as nearly always: repetitions are rare
        return {}
    rows = queries.read(Message.objects.filter(pk__in=ids))
    return {(message.author_id or 0, message.key or ""): message for message in rows}


def _read_quoted(drafts: Iterable[Draft]) -> dict[tuple[int, int], Message]:
    ids = {d.reply_to for d in drafts if d.reply_to is not None}
    if not ids:
        return {}
    rows = Message.objects.filter(pk__in=ids, kind=Message.Kind.TEXT).select_related("author")
    return {(message.conversation_id, message.pk): message for message in rows}


def _answer_repetition(
    message: Message, again: _Checked, membership: Membership | None
) -> Sent | ChatError:
    stored = message.fingerprint
    if stored is not None and bytes(stored) != again.fingerprint:
        return ChatError("key_reused")
    if membership is None:
        # No member any more: theirs to know that it is stored, not what others say and do since.
        message.reply_to = None
        set_no_reactions(message)
    return Sent(message, False)


def _check_membership(
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
        detail = _("The message you’re replying to isn’t in this conversation.")
        return ChatError("not_found", detail, fields={"reply_to": [detail]})
    return membership


def _first_message_events(conversations: Iterable[Conversation]) -> list[Event]:
    """A direct conversation appears for both with its first words."""
    return [
        MembershipChanged(int(user_id), conversation.pk, "added")
        for conversation in conversations
        for user_id in sorted(set((conversation.direct_key or "").split("-")))
    ]
