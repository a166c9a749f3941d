"""Closes sockets when `accounts` signals that sessions have ended or an account was deactivated."""

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
    # The signal is only sent after the commit: see accounts.signals.
    publisher.publish(SignedOut(user_id, code, ended, except_sid))
