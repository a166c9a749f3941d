"""Where pages of the core offer to invite people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.template.context import Context
from django.utils.safestring import SafeString

from conversations.invitations import queries
from conversations.invitations.actions.creating import SETUP_KEY
from conversations.invitations.links import link_of, qr_code
from conversations.models import Conversation

register = template.Library()


@dataclass(frozen=True, slots=True)
class SetupLink:
    url: str
    expires_at: datetime

    def qr_code(self) -> SafeString:
        return qr_code(self.url)


@register.simple_tag(takes_context=True)
def setup_link(context: Context, conversation: Conversation) -> SetupLink | None:
    """The link that the setup has created for the first administrator, while it is valid."""
    request: Any = context["request"]
    if not request.user.is_superuser:
        return None
    found = queries.find_setup(request.user, conversation.pk, SETUP_KEY)
    return None if found is None else SetupLink(link_of(request, found[0]), found[1])


@register.simple_tag
def can_invite_by_email() -> bool:
    return bool(settings.MAIL_SET_UP)


@register.simple_tag
def links_work_only_here() -> bool:
    """Without PUBLIC_URL, Chatty only answers on its own machine."""
    return not settings.PUBLIC_URL
