"""Creating invitations, and new links for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError, Sentence
from chatty.common.link_tokens import hash_token
from chatty.common.spending import spending
from chatty.common.text import clean_line
from chatty.idempotency import keys
from conversations import access
from conversations.actions.rules import require_open_account
from conversations.actions.transactions import in_transaction
from conversations.invitations import limits, rules, tokens
from conversations.invitations.models import Invitation, Target
from conversations.limits import valid_key

# Of idempotency keys. They are stored hashed, as links are derived from them.
_KIND = "invitation"

# Of the link for the first administrator. No client can use this key: see valid_key().
SETUP_KEY = "setup:"


@dataclass(frozen=True, slots=True)
class Created:
    """`token`: the secret of the link, which is not stored. `is_new`: not an earlier request, sent again."""

    invitation: Invitation
    token: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What an invitation is for, after validation."""

    conversation_ids: frozenset[int]
    note: str
    days: int
    uses: int | None

    def as_sent(self) -> list[Any]:
        """Return what an idempotency key belongs to."""
        return [sorted(self.conversation_ids), self.note, self.days, self.uses]


def create_invitation(
    user: User,
    *,
    key: str,
    conversation_ids: Collection[int] = (),
    note: str = "",
    days: int = limits.DAYS,
    uses: int | None = None,
) -> Created:
    """Create an invitation to these conversations, or only to sign up if there are none.

    The same `key` returns the same invitation and link again. `uses`: how many people can use it, None for
    any number. Raises ChatError: invalid, too_long, bad_text, not_found, not_allowed, archived,
    direct_fixed, sign_up_closed, too_many, key_reused, invitation_ended (it has a new link), slow_down.
    """
    key = valid_key(key)
    terms = clean_terms(conversation_ids, note, days, uses)
    if (known := _find(user, key, terms.as_sent())) is not None:
        return known
    with spending("invitations", str(user.pk)):
        return _create(user, key, terms)


def create_setup_invitation(user: User, conversation_id: int) -> Created:
    """Create the invitation whose link the first administrator finds after the setup."""
    terms = Terms(frozenset({conversation_id}), "", limits.DAYS, None)
    return _create(user, SETUP_KEY, terms)


@in_transaction
def _create(user: User, key: str, terms: Terms) -> Created:
    return insert(user, key, terms)


def insert(user: User, key: str, terms: Terms, *, email: str = "") -> Created:
    """Store an invitation, in the caller's transaction. Raises ChatError as create_invitation() does."""
    user = require_open_account(user)
    if (known := _find(user, key, terms.as_sent())) is not None:
        return known
    require_may_invite(user, terms.conversation_ids)
    if Invitation.objects.live().filter(created_by=user).count() >= limits.LIVE_MAX:
        detail = _("You have {max} invitations that are still valid. Revoke some first.")
        raise ChatError("too_many", format_lazy(detail, max=limits.LIVE_MAX))
    now = timestamps.now()
    token = tokens.make_token(user.pk, key)
    invitation = Invitation.objects.create(
        token_hash=hash_token(token),
        created_by=user,
        created_at=now,
        link_made_at=now,
        expires_at=now + timedelta(days=terms.days),
        uses_max=terms.uses,
        note=terms.note,
        email=email,
        has_conversations=bool(terms.conversation_ids),
    )
    Target.objects.bulk_create(
        Target(invitation=invitation, conversation_id=pk) for pk in sorted(terms.conversation_ids)
    )
    keys.remember(user.pk, _KIND, hash_token(key), terms.as_sent(), invitation.pk)
    return Created(invitation, token, is_new=True)


def clean_terms(conversation_ids: Collection[int], note: str, days: int, uses: int | None) -> Terms:
    """Raises ChatError: invalid, too_long, bad_text, each with fields."""
    ids = frozenset(conversation_ids)
    if len(ids) > limits.CONVERSATIONS_MAX:
        detail = _("An invitation can be for up to {max} conversations.")
        _raise_invalid("conversations", format_lazy(detail, max=limits.CONVERSATIONS_MAX))
    if not 1 <= days <= limits.DAYS_MAX:
        detail = _("Choose 1 to {max} days.")
        _raise_invalid("days", format_lazy(detail, max=limits.DAYS_MAX))
    if uses is not None and not 1 <= uses <= limits.USES_MAX:
        detail = _("Choose 1 to {max} people.")
        _raise_invalid("uses", format_lazy(detail, max=limits.USES_MAX))
    note = clean_line(note, field="note", max_length=limits.NOTE_MAX, required=False)
    return Terms(ids, note, days, uses)


def _raise_invalid(field: str, detail: Sentence) -> None:
    raise ChatError("invalid", detail, fields={field: [detail]})


def require_may_invite(user: User, conversation_ids: Collection[int]) -> None:
    """Raises ChatError: not_found, not_allowed, archived, direct_fixed, sign_up_closed."""
    if not conversation_ids and not rules.can_sign_up():
        detail = _("Sign-up is closed, so choose a conversation to invite to.")
        raise ChatError("sign_up_closed", detail)
    for pk in sorted(conversation_ids):
        if (refused := rules.refusal(access.member_of(user, pk))) is not None:
            raise refused


def was_created(user: User, key: str, terms: Terms) -> bool:
    """Return whether an earlier request with this key created it. Raises ChatError("key_reused")."""
    return keys.find(user.pk, _KIND, hash_token(key), terms.as_sent()) is not None


def _find(user: User, key: str, sent: list[Any]) -> Created | None:
    """Return the invitation and link of an earlier request with this key. Raises ChatError("key_reused"), and
    ("invitation_ended") if it has another link now: a link that was replaced must not come back."""
    pk = keys.find(user.pk, _KIND, hash_token(key), sent)
    if pk is None:
        return None
    invitation = Invitation.objects.select_related("created_by").filter(pk=pk).first()
    if invitation is not None:
        token = tokens.find_token(user.pk, key, invitation.token_hash)
        if token is not None:
            return Created(invitation, token, is_new=False)
    raise ChatError("invitation_ended")


def renew_link(user: User, invitation_id: int, *, key: str) -> Created:
    """Give an invitation a new link. The former one no longer works.

    The same `key` returns the same link again. Raises ChatError: invalid, not_found, invitation_ended,
    invitation_expired, invitation_used, key_reused, slow_down.
    """
    key = valid_key(key)
    if (known := _find(user, key, _sent_to_renew(invitation_id))) is not None:
        return known
    with spending("invitations", str(user.pk)):
        return _renew(user, invitation_id, key)


@in_transaction
def _renew(user: User, invitation_id: int, key: str) -> Created:
    user = require_open_account(user)
    rows = Invitation.objects.select_for_update(of=("self",), no_key=True)
    found = rows.select_related("created_by").filter(pk=invitation_id, created_by=user).first()
    if found is None:
        raise ChatError("not_found")
    sent = _sent_to_renew(invitation_id)
    if (known := _find(user, key, sent)) is not None:
        return known
    rules.check_live(found)
    token = tokens.make_token(user.pk, key)
    found.token_hash, found.link_made_at = hash_token(token), timestamps.now()
    found.save(update_fields=["token_hash", "link_made_at"])
    keys.remember(user.pk, _KIND, hash_token(key), sent, found.pk)
    return Created(found, token, is_new=True)


def _sent_to_renew(invitation_id: int) -> list[Any]:
    return ["new link", invitation_id]
