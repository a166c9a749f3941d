"""Where pages of the core offer to invite people."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from conversations.invitations import queries
from conversations.invitations.actions.creating import SETUP_KEY
from conversations.invitations.links import link_of
from conversations.models import Conversation

register = template.Library()


@register.simple_tag(takes_context=True)
def setup_link(context: Context, conversation: Conversation) -> str:
    """The link that the setup has created for the first administrator, while it is valid, or ""."""
    request: Any = context["request"]
    if not request.user.is_superuser:
        return ""
    token = queries.setup_token(request.user, conversation.pk, SETUP_KEY)
    return link_of(request, token) if token else ""
