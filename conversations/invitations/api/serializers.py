"""Request formats of the API of invitations. Actions validate the values."""

from __future__ import annotations

from accounts.api.serializers import AccountSerializer
from chatty.api.fields import (
    QueryCursor,
    QueryInt,
    StrictInt,
    StrictList,
    StrictQuery,
    StrictSerializer,
    StrictText,
)
from conversations.api.serializers import Key
from conversations.invitations import limits

PAGE_SIZE = 25
PAGE_MAX = 100


class InvitationsQuery(StrictQuery):
    cursor = QueryCursor()
    limit = QueryInt(default=PAGE_SIZE, max_value=PAGE_MAX, help_text="Per page.")


class _Key(StrictSerializer):
    key = Key(
        required=True,
        help_text="A unique key that you generate for each request, so that retries are safe: the same key "
        "returns the same link.",
    )


class NewLink(_Key):
    pass


class _Terms(_Key):
    conversations = StrictList(
        child=StrictInt(),
        default=list,
        help_text=f"IDs of conversations to join, at most {limits.CONVERSATIONS_MAX}. Without any, the "
        "invitation is only for signing up.",
    )
    note = StrictText(default="", help_text=f"At most {limits.NOTE_MAX} characters.")
    days = StrictInt(
        default=limits.DAYS,
        max_value=limits.DAYS_MAX,
        help_text=f"How long it is valid, 1 to {limits.DAYS_MAX} days.",
    )


class NewInvitation(_Terms):
    uses = StrictInt(
        default=None,
        allow_null=True,
        max_value=limits.USES_MAX,
        help_text=f"How many people can use it, 1 to {limits.USES_MAX}. Null: any number.",
    )


class NewEmails(_Terms):
    addresses = StrictList(
        child=StrictText(),
        allow_empty=False,
        help_text=f"Email addresses, at most {limits.EMAILS_MAX}. Each gets a link for one person.",
    )


class InvitationToken(StrictSerializer):
    token = StrictText(help_text="The last part of the link.")


class RegisterWithInvitation(AccountSerializer):
    token = StrictText(help_text="The last part of the link.")
