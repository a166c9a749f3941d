"""Inviting people by email: each address gets an invitation of its own, for one person."""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.actions import clean_email
from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from chatty.common.link_tokens import hash_token
from chatty.common.spending import spending
from conversations.actions.transactions import in_transaction
from conversations.invitations import emails, limits, queries
from conversations.invitations.actions.creating import (
    Terms,
    clean_terms,
    insert,
    require_may_invite,
    was_created,
)
from conversations.limits import valid_key

_ECHO_MAX = 100  # characters of an invalid address that are returned


class Outcome(enum.StrEnum):
    INVITED = "invited"
    MEMBER = "member"  # has an account, and is a member of all the conversations
    INVALID = "invalid"  # not an email address
    TOO_MANY = "too_many"  # got too many invitations today


@dataclass(frozen=True, slots=True)
class Answer:
    """`address`: as it is stored, or as it was entered if it is invalid."""

    address: str
    outcome: Outcome


def invite_by_email(
    user: User,
    addresses: Sequence[str],
    *,
    key: str,
    site: str,
    conversation_ids: Collection[int] = (),
    note: str = "",
    days: int = limits.DAYS,
) -> list[Answer]:
    """Send an invitation to each address, and return what happened, in order and without repetitions.

    `site`: the base URL of the links. The same `key` sends nothing twice. Raises ChatError, and sends
    nothing, as create_invitation() does, and "not_allowed" without a mail server.
    """
    key = valid_key(key)
    terms = clean_terms(conversation_ids, note, days, 1)
    if not settings.MAIL_SET_UP:
        raise ChatError("not_allowed", _("This server can’t send email. Copy a link instead."))
    if len(addresses) > limits.EMAILS_MAX:
        detail = _("You can invite up to {max} people at once.")
        raise ChatError("too_many", format_lazy(detail, max=limits.EMAILS_MAX))
    require_may_invite(user, terms.conversation_ids)
    outcomes: dict[str, Outcome | None] = {}  # None: not known yet
    for entered in addresses:
        try:
            address = clean_email(entered)
        except ChatError:
            outcomes[entered.strip()[:_ECHO_MAX]] = Outcome.INVALID
        else:
            known = was_created(user, _key_of(key, address), terms)
            outcomes[address] = Outcome.INVITED if known else None
    unknown = [address for address, outcome in outcomes.items() if outcome is None]
    if unknown:
        # Members count too: the answer tells who has an account.
        with (
            spending("invitations", str(user.pk), len(unknown)) as own,
            spending("invitation_emails_all", "", len(unknown)) as everyones,
        ):
            for address in unknown:
                outcomes[address] = _invite(user, address, key, terms, site)
                if outcomes[address] != Outcome.INVITED:
                    limiter.put_back("invitation_emails_all", "")
                own.left -= 1
                everyones.left -= 1
    return [Answer(address, outcome) for address, outcome in outcomes.items() if outcome]


def _invite(user: User, address: str, key: str, terms: Terms, site: str) -> Outcome:
    if queries.is_member_already(address, terms.conversation_ids):
        return Outcome.MEMBER
    try:
        limiter.check("invitation_emails", address)
    except ChatError:
        limiter.put_back("invitations", str(user.pk))
        return Outcome.TOO_MANY
    _store(user, address, _key_of(key, address), terms, site)
    return Outcome.INVITED


@in_transaction
def _store(user: User, address: str, key: str, terms: Terms, site: str) -> None:
    created = insert(user, key, terms, email=address)
    if created.is_new:
        emails.send_later(created.invitation, key=key, site=site)


def _key_of(key: str, address: str) -> str:
    """Return the key of one of the emails of a request. Clients can't use it: it has a colon."""
    return f"email:{hash_token(f'{key} {address}')[:32]}"
