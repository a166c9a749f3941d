"""Sending messages: many drafts in one transaction, and at most one row per (author, key)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.conf import settings

from accounts.models import User
from chatty.common.errors import ChatError
from conversations import access, bulk, limits, publisher, queries
from conversations.actions.log import next_message, set_no_reactions
from conversations.actions.parts import claim_parts
from conversations.actions.read_marks import mark_opened
from conversations.actions.rendering import add_everyone, parse, render_for, set_rendered
from conversations.actions.slow_mode import note_post, slow_mode_refusal
from conversations.actions.transactions import in_transaction
from conversations.changes import MessageChanged
from conversations.content import EMPTY_COLUMNS, Content, Rendered, render, unknown_reply_to
from conversations.events import Event, MembershipChanged
from conversations.models import Conversation, Membership, Message


# Structs, because creating a frozen dataclass takes ten times as long.
class Draft(msgspec.Struct, frozen=True):
    """A message to be sent, as received. Nothing is validated yet, except that with `rendered` (set by
    render_draft()) the content is clean."""

    user_id: int
    conversation_id: int
    key: str
    content: Content
    rendered: Rendered | None = None


class Sent(msgspec.Struct, frozen=True):
    """The stored message. `created` is False if it was stored earlier, with the same key."""

    message: Message
    created: bool


class _Checked(msgspec.Struct, frozen=True):
    draft: Draft
    content: Content
    rendered: Rendered
    fingerprint: bytes


def send_message(user: User, conversation_id: int, *, key: str, **supplied: Any) -> Sent:
    """Call send_content() with the fields of Content given by name, for code that writes messages itself."""
    return send_content(user, conversation_id, Content(**supplied), key=key)


def send_content(user: User, conversation_id: int, content: Content, *, key: str) -> Sent:
    """Send a message. If its key was used before, through any API, return the message stored then.

    Raises ChatError: empty, too_long, bad_text, invalid, key_reused, not_found, archived, too_many...
    """
    draft = render_draft(Draft(user.pk, conversation_id, key, content))
    (result,) = send_messages([draft])
    if isinstance(result, ChatError):
        raise result
    return result


def render_draft(draft: Draft) -> Draft:
    """Return the draft with clean and rendered content. An invalid one is returned unchanged: then
    send_messages() rejects it. Raises ChatError("slow_down").
    """
    try:
        content = draft.content.cleaned()
    except ChatError:
        return draft
    rendered = render_for(draft.user_id, content)
    return Draft(draft.user_id, draft.conversation_id, draft.key, content, rendered)


def send_messages(
    drafts: Sequence[Draft], *, lock_seconds: float | None = None, skip_locked: bool = False
) -> list[Sent | ChatError]:
    """Store drafts in one transaction and return the result of each, in the same order.

    A rejected draft does not affect the others. `skip_locked`: don't wait for conversations that are
    locked; their drafts get ChatError("busy"). `lock_seconds`: how long to wait for locks (PostgreSQL
    only; None: the timeout of the connection). Raises ChatError as in_transaction() does; then nothing
    is stored.
    """
    checked = [_check(draft) for draft in drafts]
    good = [each for each in checked if isinstance(each, _Checked)]
    stored = _store(good, lock_seconds=lock_seconds, skip_locked=skip_locked) if good else []
    results = iter(stored)
    return [each if isinstance(each, ChatError) else next(results) for each in checked]


def _check(draft: Draft) -> _Checked | ChatError:
    content, rendered = draft.content, draft.rendered
    try:
        limits.valid_key(draft.key)
        if rendered is None:
            content = content.cleaned()
            rendered = render(content, parse)
    except ChatError as error:
        return error
    fingerprint = content.fingerprint(draft.conversation_id, settings.SECRET_KEY)
    return _Checked(draft, content, rendered, fingerprint)


@in_transaction
def _store(
    checked: list[_Checked], *, lock_seconds: float | None, skip_locked: bool
) -> list[Sent | ChatError]:
    """Store checked drafts, in four phases:

    1. Look up mentions, before any lock is taken.
    2. Lock the conversations and read all that is needed: memberships, used keys, quoted messages, and
       what parts of the content refer to.
    3. Decide about each draft from what was read. Expected rejections therefore never fail a statement,
       and the batch needs no savepoints.
    4. Insert the accepted messages, update the counters, and publish after the commit.
    """
    drafts = [each.draft for each in checked]
    called = queries.find_mentions(
        [(each.draft.conversation_id, each.rendered.calls) for each in checked]
    )
    context = bulk.lock_send_context(
        conversations={d.conversation_id for d in drafts},
        memberships={(d.conversation_id, d.user_id) for d in drafts},
        keys={(d.user_id, d.key) for d in drafts},
        lock_seconds=lock_seconds,
        skip_locked=skip_locked,
    )
    conversations, memberships = context.conversations, context.memberships
    known = _read_known(context.known)
    parts = claim_parts((each.draft.user_id, each.content) for each in checked)
    quoted = _read_quoted(drafts)

    results: list[Sent | ChatError] = []
    fresh: dict[tuple[int, str], tuple[_Checked, Message]] = {}
    first_words: set[int] = set()
    for each, mentions_found in zip(checked, called, strict=True):
        draft = each.draft
        who_and_key = (draft.user_id, draft.key)
        membership = memberships.get((draft.conversation_id, draft.user_id))
        # Check the key before the permission: someone who has left since then gets the same answer
        # to a retry as before, and no draft is ever stored twice.
        if who_and_key in known:
            results.append(_answer_repetition(known[who_and_key], each, membership))
            continue
        if who_and_key in fresh:
            earlier, message = fresh[who_and_key]
            same = earlier.fingerprint == each.fingerprint
            results.append(Sent(message, False) if same else ChatError("key_reused"))
            continue
        reply_to = quoted.get((draft.conversation_id, draft.content.reply_to or 0))
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
        try:
            claimed = parts.claim(membership_or_error, each.content)
            mentions_found = add_everyone(mentions_found, each.rendered.calls, membership_or_error)
        except ChatError as error:
            results.append(error)
            continue
        if conversation.is_direct and conversation.last_seq == 0:
            first_words.add(conversation.pk)
        message = next_message(conversation, membership_or_error.user)
        message.key, message.fingerprint = draft.key, each.fingerprint
        for name in EMPTY_COLUMNS:  # the columns of the content
            setattr(message, name, getattr(each.content, name))
        for name, value in claimed.items():
            setattr(message, name, value)
        set_rendered(message, each.rendered, mentions_found)
        message.reply_to = reply_to
        mark_opened(membership_or_error)
        if conversation.slow_mode:
            note_post(membership_or_error, message.created_at)
        fresh[who_and_key] = (each, message)
        results.append(Sent(message, True))

    if fresh:
        messages = [message for _draft, message in fresh.values()]
        touched = {m.conversation_id: conversations[m.conversation_id] for m in messages}

        def announce() -> None:
            parts.attach(messages)
            for message in messages:
                set_no_reactions(message)
            created = [MessageChanged(m, "created", m.author_id) for m in messages]
            publisher.publish_after_commit(
                *created, *_first_message_events(conversations[pk] for pk in first_words)
            )

        bulk.store(messages, touched.values(), ids=context.ids, with_ids=announce, commit=True)
    return results


def _read_known(ids: list[int]) -> dict[tuple[int, str], Message]:
    if not ids:  # nearly always, because retries are rare
        return {}
    rows = queries.read_by_ids(ids)
    return {(message.author_id or 0, message.key or ""): message for message in rows}


def _read_quoted(drafts: Iterable[Draft]) -> dict[tuple[int, int], Message]:
    ids = {d.content.reply_to for d in drafts if d.content.reply_to is not None}
    if not ids:
        return {}
    rows = Message.objects.filter(pk__in=ids, kind=Message.Kind.TEXT).select_related("author")
    return {(message.conversation_id, message.pk): message for message in rows}


def _answer_repetition(
    message: Message, again: _Checked, membership: Membership | None
) -> Sent | ChatError:
    if not _is_same(message, again):
        return ChatError("key_reused")
    if membership is None:
        # Not a member any more: they learn that it is stored, but not what others have done since.
        message.reply_to = None
        set_no_reactions(message)
    return Sent(message, False)


def _is_same(message: Message, again: _Checked) -> bool:
    """Whether the message was stored with this content. It may have been stored with a former secret key,
    or be deleted: then it has no fingerprint any more."""
    stored = message.fingerprint
    if stored is None or hmac.compare_digest(bytes(stored), again.fingerprint):
        return True
    return any(
        hmac.compare_digest(
            bytes(stored), again.content.fingerprint(again.draft.conversation_id, secret)
        )
        for secret in settings.SECRET_KEY_FALLBACKS
    )


def _check_membership(
    draft: Draft,
    *,
    conversation: Conversation | None,
    membership: Membership | None,
    reply_to: Message | None,
    skip_locked: bool,
) -> Membership | ChatError:
    """Return the membership that permits to store the draft, or the reason to reject it."""
    if membership is None:
        return ChatError("not_found")
    if not membership.user.is_active:
        return ChatError("account_closed")
    if conversation is None:
        # A member, but the conversation is not among the locked ones: locked by another transaction, or
        # deleted.
        return ChatError("busy", retry_after=1) if skip_locked else ChatError("not_found")
    membership.conversation = conversation
    error = access.refusal("send" if draft.content.reply_to is None else "reply", membership)
    if error is None and conversation.slow_mode:
        error = slow_mode_refusal(membership)
    if error is not None:
        return error
    if draft.content.reply_to is not None and reply_to is None:
        return unknown_reply_to("not_found")
    return membership


def _first_message_events(conversations: Iterable[Conversation]) -> list[Event]:
    """A direct message appears in both sidebars with its first message."""
    return [
        MembershipChanged(int(user_id), conversation.pk, "added")
        for conversation in conversations
        for user_id in sorted(set((conversation.direct_key or "").split("-")))
    ]
