"""What accounts tells the rest of the house. It never imports those who listen."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.dispatch import Signal

from accounts.models import User

# Close codes, as sockets say them.
SIGNED_OUT = 4001
ACCOUNT_CLOSED = 4403

# Sent when somebody has another name or face, with `user_id`.
profile_changed = Signal()

# Sent when sign-ins have ended, with the keyword arguments of announce_ended. `sids` being None
# means all of this person's sign-ins but `except_sid`; `code` is one of the two above.
sign_ins_ended = Signal()


def announce_ended(
    user_id: int, *, sids: list[str] | None, except_sid: str | None = None, code: int
) -> None:
    """Send `sign_ins_ended` once the open transaction is committed; a failing listener is logged."""
    send = partial(
        sign_ins_ended.send_robust,
        sender=User,
        user_id=user_id,
        sids=sids,
        except_sid=except_sid,
        code=code,
    )
    transaction.on_commit(send, robust=True)


def announce_profile(user_id: int) -> None:
    """Send `profile_changed` once the open transaction is committed; a failing listener is logged."""
    send = partial(profile_changed.send_robust, sender=User, user_id=user_id)
    transaction.on_commit(send, robust=True)
