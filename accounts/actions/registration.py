"""Signing up."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.actions.fields import clean_email, clean_name, clean_time_zone, invalid_error
from accounts.actions.passwords import check_password_rules
from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.integrity import is_taken
from chatty.common.limiter import limiter


@sensitive_variables("password")
def register(
    *,
    email: str,
    password: str,
    name: str,
    time_zone: str = "",
    address: str,
    invited: bool = False,
) -> User:
    """Create an account. `address`: the client's IP address, for the limit.

    Raises ChatError("sign_up_closed" | "invalid" | "too_long" | ... with `fields` | "slow_down").
    The error for a taken email reveals that an account exists; the limit makes probing slow.
    """
    require_sign_up_open(invited=invited)
    limiter.check_address("sign_up", address)
    name = clean_name(name)
    email = clean_email(email)
    time_zone = clean_time_zone(time_zone)
    check_password_rules(password, User(email=email, name=name), field="password")
    user = User(email=email, name=name, time_zone=time_zone, password=make_password(password))
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        if not is_taken(error, User, "email"):
            raise
        raise _taken_error() from None
    return user


def require_sign_up_open(*, invited: bool = False) -> None:
    """Raises ChatError("sign_up_closed")."""
    if settings.SIGN_UP == "open" or (settings.SIGN_UP == "invited" and invited):
        return
    if settings.SIGN_UP == "invited":
        raise ChatError(
            "sign_up_closed", _("You need an invitation to sign up. Ask your administrator.")
        )
    raise ChatError(
        "sign_up_closed", _("Sign-up is closed. Ask your administrator for an account.")
    )


def _taken_error() -> ChatError:
    return invalid_error("email", _("There’s already an account with this email address."))
