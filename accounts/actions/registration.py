"""Signing up."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.actions.addresses import (
    store_confirmation,
    take_confirmation,
    waits_for_confirmation,
)
from accounts.actions.fields import (
    clean_email,
    clean_name,
    clean_time_zone,
    require_distinct_name,
    taken_error,
)
from accounts.actions.passwords import check_password_rules
from accounts.installation import is_sign_up_offered, sign_up_policy
from accounts.models import SignUpPolicy, SignUpRequest, User
from accounts.signals import announce_account
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
    site: str = "",
) -> User:
    """Create an account. Raises ChatError as prepare_account() and store_account() do."""
    return store_account(
        prepare_account(
            email=email,
            password=password,
            name=name,
            time_zone=time_zone,
            address=address,
            invited=invited,
            site=site,
        )
    )


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A checked account that is not stored yet. `site`: see prepare_account(); "" sends no link."""

    user: User
    site: str


@sensitive_variables("password")
def prepare_account(
    *,
    email: str,
    password: str,
    name: str,
    time_zone: str = "",
    address: str,
    invited: bool = False,
    site: str = "",
) -> NewAccount:
    """Check what was entered. `address`: the client's IP address, for the limits.

    Call it before a transaction: hashing the password takes long enough to block other writers.

    `site`: the base URL of the link that confirms the email address; "" sends none. An invitation that was
    sent to the address doesn't prove it, because the inviter can copy a new link of it.

    Raises ChatError("sign_up_closed" | "invalid" | "too_long" | ... with `fields` | "slow_down").
    """
    require_sign_up_open(invited=invited)
    limiter.check_address("sign_up", address)
    user = new_user(email=email, password=password, name=name, time_zone=time_zone)
    if site and waits_for_confirmation(user) != "":
        try:
            take_confirmation(user.email, address)
        except ChatError:
            site = ""  # the account works without it, and the link can be requested later
    else:
        site = ""
    return NewAccount(user, site)


def store_account(account: NewAccount) -> User:
    """Store a prepared account. Raises ChatError("invalid", field "email") if the address is taken.

    That reveals that an account exists; the limit of prepare_account() makes probing slow.
    """
    user = account.user
    user.pk = None  # a transaction that is repeated calls this again
    with transaction.atomic():
        insert_account(user)
        if account.site:
            store_confirmation(user, user.email, account.site)
    return user


def insert_account(user: User) -> None:
    """Store and announce the account of someone who has signed up, in whichever way.

    Call this in a transaction. Raises ChatError as store_account() does.
    """
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        if not is_taken(error, User, "email"):
            raise
        raise taken_error() from None
    # They may have asked for an account before they were invited.
    SignUpRequest.objects.filter(email=user.email).delete()
    announce_account(user.pk)


@sensitive_variables("password")
def new_user(*, email: str, password: str, name: str, time_zone: str) -> User:
    """Return an account that is not stored yet. Raises ChatError with `fields`."""
    name = clean_name(name)
    require_distinct_name(name)
    email = clean_email(email)
    time_zone = clean_time_zone(time_zone)
    check_password_rules(password, User(email=email, name=name), field="password")
    return User(email=email, name=name, time_zone=time_zone, password=make_password(password))


def require_sign_up_open(*, invited: bool = False) -> None:
    """Raises ChatError("sign_up_closed") if no account can be created right now, without approval."""
    policy = sign_up_policy()
    if policy == SignUpPolicy.OPEN or (invited and policy != SignUpPolicy.CLOSED):
        return
    raise closed_error(policy)


def require_sign_up_offered() -> None:
    """Raises ChatError("sign_up_closed") if no one without an invitation can sign up or ask to."""
    if not is_sign_up_offered():
        raise closed_error(sign_up_policy())


def closed_error(policy: str) -> ChatError:
    if policy == SignUpPolicy.INVITED:
        return ChatError(
            "sign_up_closed",
            _("You need an invitation to sign up. Ask someone who is already here."),
        )
    return ChatError(
        "sign_up_closed", _("Sign-up is closed. Ask your administrator for an account.")
    )
