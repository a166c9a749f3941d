"""Confirming email addresses with the links that were sent to them.

A link proves the mailbox, and the session or the password proves the account. Both are needed: otherwise the
owner of an address could confirm, by mistake, what a stranger has entered for it with a password of
their own.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.actions.addresses import announce_new_email, set_email
from accounts.actions.authentication import authenticate
from accounts.actions.registration import insert_account
from accounts.devices import Device
from accounts.installation import may_sign_up_by_domain
from accounts.models import PASSWORD_MAX, AddressConfirmation, SignUpRequest, User
from chatty.common.errors import ChatError
from chatty.common.limiter import bucket, buckets_of, limiter
from chatty.common.link_tokens import hash_token

TOKEN_MAX = 100


def confirmation_of(token: str, *, address: str) -> AddressConfirmation:
    """Return what a link confirms. Changes nothing. Raises ChatError("not_found" | "slow_down")."""
    found = None
    if len(token) <= TOKEN_MAX:
        rows = AddressConfirmation.objects.select_related("user", "request")
        found = rows.filter(token_hash=hash_token(token), expires_at__gt=timezone.now()).first()
    if found is None:
        # Guessing. A right link works beyond the limit, as emails to other people here count against it.
        limiter.check_address("confirm_address", address)
        raise _expired_error()
    if found.user is not None and not (found.user.is_active and _is_awaited(found.user, found)):
        raise _expired_error()
    return found


def _is_awaited(user: User, found: AddressConfirmation) -> bool:
    if found.email == user.email:
        return not user.email_confirmed
    return found.email == user.new_email


@sensitive_variables("password")
def confirm_address(
    token: str,
    *,
    user: User | None,
    password: str,
    address: str,
    site: str,
    device: Device | None = None,
) -> User:
    """Confirm an address, and return its account. `user`: who is signed in; anyone else needs the password.

    Raises ChatError("not_found") if the link has expired or was used, or as authenticate().
    """
    found = confirmation_of(token, address=address)
    if found.request is not None:
        _check_password(found.request, password, address)
        return _create_account(found, found.request)
    owner = found.user
    assert owner is not None
    if user is None or user.pk != owner.pk:
        given = authenticate(email=owner.email, password=password, address=address, device=device)
        if given.pk != owner.pk:
            raise ChatError("wrong_credentials")
    with transaction.atomic():
        _use_up(found)
        current = User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if not _is_awaited(current, found):
            raise _expired_error()
        now = timezone.now()
        if found.email == current.email:
            User.objects.filter(pk=current.pk).update(email_confirmed_at=now)
            AddressConfirmation.objects.filter(user=current, email=found.email).delete()
        else:
            announce_new_email(current.pk, current.email, site)
            set_email(current, found.email, confirmed_at=now)
            AddressConfirmation.objects.filter(user=current).delete()
    current.refresh_from_db()
    return current


@sensitive_variables("password")
def _check_password(request: SignUpRequest, password: str, address: str) -> None:
    if len(password) > PASSWORD_MAX:
        raise ChatError("wrong_credentials")
    narrow = bucket("sign_in", f"{request.email} {address}")
    limiter.take([narrow, *buckets_of("passwords", address)])
    if not request.check_password(password):
        raise ChatError("wrong_credentials")


def _create_account(found: AddressConfirmation, request: SignUpRequest) -> User:
    # The setting can have changed since they signed up.
    if not may_sign_up_by_domain(request.email):
        raise ChatError("sign_up_closed")
    user = request.new_account()
    user.email_confirmed_at = timezone.now()
    with transaction.atomic():
        _use_up(found)
        insert_account(user)
    return user


def _use_up(found: AddressConfirmation) -> None:
    """Of several requests with one link, only one gets past this."""
    gone, _rows = AddressConfirmation.objects.filter(
        pk=found.pk, expires_at__gt=timezone.now()
    ).delete()
    if not gone:
        raise _expired_error()


def _expired_error() -> ChatError:
    return ChatError("not_found", _("This link has expired."))
