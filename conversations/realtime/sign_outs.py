"""Ended sign-ins and closed accounts, told by `accounts`, become closed sockets."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts.signals import sign_ins_ended
from conversations import publisher
from conversations.events import SignedOut


@receiver(sign_ins_ended, dispatch_uid="conversations.sign_outs")
def close_sockets(
    *, user_id: int, sids: list[str] | None, except_sid: str | None, code: int, **_: Any
) -> None:
    ended = None if sids is None else tuple(sids)
    # Sent after commit already: see accounts.signals.
    publisher.publish(SignedOut(user_id, code, ended, except_sid))
