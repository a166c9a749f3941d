"""The public conversation that new people join, so that they start among others."""

from __future__ import annotations

import logging
from typing import Any

from django.db.models import Count
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.signals import account_created
from chatty.common.errors import ChatError
from conversations.actions.members import join
from conversations.models import Conversation, Instance

log = logging.getLogger("chatty.conversations")


def set_welcome(conversation_id: int | None) -> None:
    """Choose the conversation that new people join, or none. Raises ChatError("invalid") with the field
    "conversation" unless it is public and not archived."""
    if conversation_id is not None and not _choices().filter(pk=conversation_id).exists():
        raise ChatError("invalid", fields={"conversation": [_("Choose a public conversation.")]})
    Instance.objects.update_or_create(pk=1, defaults={"welcome_id": conversation_id})


def welcome_choices() -> list[Conversation]:
    """Return the public conversations that new people could join, the first ones by name."""
    return list(_choices().order_by("name", "pk")[:200])


def suggested_welcome() -> int | None:
    """Return the public conversation that most people are in, to be offered where none was ever chosen. New
    people don't join it before an administrator agrees."""
    most = _choices().annotate(people=Count("memberships")).order_by("-people", "pk").first()
    return None if most is None else most.pk


def _choices() -> Any:
    return Conversation.objects.filter(
        kind=Conversation.Kind.GROUP,
        access=Conversation.Access.OPEN,
        archived_at=None,
        deleted_at=None,
    )


@receiver(account_created, dispatch_uid="conversations.welcome")
def join_welcome(user_id: int, **kwargs: Any) -> None:
    """Let someone who has just signed up join it, if they can: it may be full, or private by now."""
    welcome = Instance.objects.filter(pk=1).values_list("welcome_id", flat=True).first()
    if welcome is None:
        return
    try:
        join(User.objects.get(pk=user_id), welcome)
    except ChatError as error:
        log.info("A new person could not join the welcome conversation: %s", error.code)
