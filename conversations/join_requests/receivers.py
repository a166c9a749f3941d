"""Notices when someone becomes a member: the core does not know about requests."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from conversations.join_requests import actions
from conversations.models import Membership


@receiver(post_save, sender=Membership, dispatch_uid="join_requests.joined")
def joined(instance: Membership, created: bool, **kwargs: Any) -> None:
    if created:
        actions.note_joined(instance.conversation_id, instance.user_id)
