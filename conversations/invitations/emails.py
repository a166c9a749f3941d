"""The email with an invitation. It is sent as a delivery, which has no words and no link: both are made when
it is sent, from the key of the request (tokens.py)."""

from __future__ import annotations

from typing import Any

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import mails
from accounts.queries import user_by_email
from chatty.common.errors import ChatError
from conversations.invitations import queries, tokens
from conversations.invitations.models import Invitation

_TEMPLATE = "invitation"


def register() -> None:
    mails.register(_TEMPLATE, _email)


def send_later(invitation: Invitation, *, key: str, site: str) -> None:
    """Send it after the commit of the current transaction. `site`: the base URL of the link."""
    data = {"invitation": invitation.pk, "key": key, "site": site}
    mails.send_later(_TEMPLATE, {**data, "language": mails.language_of_page()})


def _email(data: dict[str, Any]) -> EmailMessage | None:
    rows = Invitation.objects.live().select_related("created_by")
    invitation = rows.filter(pk=data["invitation"]).first()
    if invitation is None:
        return None
    token = tokens.find_token(invitation.created_by_id, data["key"], invitation.token_hash)
    if token is None:  # it has a new link
        return None
    try:
        offer = queries.get_offer(invitation)
    except ChatError:  # the inviter has left, for example
        return None
    site, inviter = data["site"], invitation.created_by
    context = {
        "inviter": inviter.name,
        "note": invitation.note,
        "days": (invitation.expires_at - invitation.created_at).days,
        **mails.context_of(site),
        "link": site + reverse("invitations:invite", args=[token]),
    }
    known = user_by_email(invitation.email)
    with translation.override((known and known.language) or data["language"]):
        context["conversations"] = [each.name_for_outsiders for each in offer.conversations]
        subject = _("%(inviter)s invited you to %(installation)s at %(host)s") % context
        words = render_to_string("mails/invitation.txt", context)
    return mails.email(subject, words, to=invitation.email)
