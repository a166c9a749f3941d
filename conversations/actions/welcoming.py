"""The public conversation that new people join, so that they start among others."""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.signals import account_created
from chatty.common.errors import ChatError
from conversations import queries
from conversations.actions.members import join_uncounted
from conversations.models import Instance

log = logging.getLogger("chatty.conversations")


def set_welcome(conversation_id: int | None) -> None:
    """Choose the conversation that new people join, or none. Raises ChatError("invalid") with the field
    "conversation" unless it is public and not archived."""
    if conversation_id is not None and not queries.can_be_welcome(conversation_id):
        raise ChatError("invalid", fields={"conversation": [_("Choose a public conversation.")]})
    Instance.objects.update_or_create(pk=1, defaults={"welcome_id": conversation_id})


@receiver(account_created, dispatch_uid="conversations.welcome")
def join_welcome(user_id: int, **kwargs: Any) -> None:
    """Let someone who has just signed up join it, if they can: it may be full, or private by now."""
    welcome = queries.welcome()
    if welcome is None:
        return
    try:
        join_uncounted(User.objects.get(pk=user_id), welcome)
    except ChatError as error:
        log.info("A new person could not join the welcome conversation: %s", error.code)
