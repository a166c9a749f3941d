"""Signals that accounts sends to the rest of Chatty, so that it never imports their receivers."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.dispatch import Signal

from accounts.models import User

# Close codes of WebSockets, used as the reason why sign-ins ended.
SIGNED_OUT = 4001
ACCOUNT_CLOSED = 4403

# Sent with `user_id` when a user's name, colour or picture has changed.
profile_changed = Signal()

# Sent with `user_id` when a user's quiet hours, or the time zone that they are in, have changed.
quiet_hours_changed = Signal()

# Sent with `user_id` after an account was created by someone who signed up.
account_created = Signal()

# Sent with `user_id` when an account is being deactivated, in that transaction.
account_closing = Signal()

# Sent with `user_id` when an account is being reactivated, in that transaction.
account_reopened = Signal()

# Sent when sign-ins have ended, with the keyword arguments of announce_ended(). `sids=None` means
# all sign-ins of the user except `except_sid`. `code` is one of the two above.
sign_ins_ended = Signal()


def announce_ended(
    user_id: int, *, sids: list[str] | None, except_sid: str | None = None, code: int
) -> None:
    """Send `sign_ins_ended` after the commit. A failing receiver is logged, not raised."""
    send = partial(
        sign_ins_ended.send_robust,
        sender=User,
        user_id=user_id,
        sids=sids,
        except_sid=except_sid,
        code=code,
    )
    transaction.on_commit(send, robust=True)


def announce_account(user_id: int) -> None:
    """Send `account_created` after the commit. A failing receiver is logged, not raised."""
    send = partial(account_created.send_robust, sender=User, user_id=user_id)
    transaction.on_commit(send, robust=True)


def announce_profile(user_id: int) -> None:
    """Send `profile_changed` after the commit. A failing receiver is logged, not raised."""
    send = partial(profile_changed.send_robust, sender=User, user_id=user_id)
    transaction.on_commit(send, robust=True)


def announce_quiet_hours(user_id: int) -> None:
    """Send `quiet_hours_changed` after the commit. A failing receiver is logged, not raised."""
    send = partial(quiet_hours_changed.send_robust, sender=User, user_id=user_id)
    transaction.on_commit(send, robust=True)
