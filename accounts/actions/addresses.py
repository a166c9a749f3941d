"""Email addresses of accounts: changing them, and sending links that confirm them."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import mails
from accounts.actions.fields import clean_email, invalid_error, taken_error
from accounts.models import PASSWORD_MAX, AddressConfirmation, SignUpRequest, User
from accounts.queries import user_by_email
from chatty.common.errors import ChatError
from chatty.common.integrity import is_taken
from chatty.common.limiter import bucket, buckets_of, limiter
from chatty.common.link_tokens import hash_token


def waits_for_confirmation(user: User) -> str:
    """Return the address of this account that a link can confirm, or ""."""
    if not settings.MAIL_SET_UP:
        return ""
    return user.new_email or ("" if user.email_confirmed else user.email)


def send_confirmation(user: User, *, address: str, site: str) -> None:
    """Send a link that confirms the address of an account, or its new one.

    `site`: the base URL of the link. Raises ChatError("not_allowed") if there is nothing to confirm, or
    ("slow_down").
    """
    email = waits_for_confirmation(user)
    if not email:
        raise ChatError("not_allowed", _("Your email address is confirmed."))
    take_confirmation(email, address)
    store_confirmation(user, email, site)


def take_confirmation(email: str, address: str) -> None:
    """Count an email with a link. Raises ChatError("slow_down")."""
    narrow = bucket("confirm", email)
    limiter.take([narrow, *buckets_of("confirm_address", address), bucket("confirm_all", "")])


def store_confirmation(owner: User | SignUpRequest, email: str, site: str) -> None:
    """Send the link after the commit, whatever the limits say."""
    kind = "user" if isinstance(owner, User) else "request"
    data = {kind: owner.pk, "email": email, "site": site, "language": mails.language_of_page()}
    mails.send_later(_CONFIRM, data)


@sensitive_variables("password")
def change_email(user: User, *, email: str, password: str, address: str, site: str) -> None:
    """Change one's own address. Where mail is set up, it counts once it is confirmed.

    Raises ChatError("invalid", fields "password" or "email") or ("slow_down"). With mail, the result does
    not depend on whether the address has an account.
    """
    email = clean_email(email)
    if len(password) > PASSWORD_MAX:
        raise _wrong_password_error()
    # Someone at an unlocked browser must not be able to guess the password here.
    limiter.check("sign_in", f"{user.email} {address}")
    if not user.check_password(password):
        raise _wrong_password_error()
    if email == user.email:
        raise invalid_error("email", _("This is your email address already."))
    if settings.MAIL_SET_UP:
        take_confirmation(email, address)
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(new_email=email)
            store_confirmation(user, email, site)
        user.new_email = email
    else:
        with transaction.atomic():
            set_email(user, email, confirmed_at=None)


def cancel_email_change(user: User) -> None:
    """Keep the address: links that were sent to the new one do nothing any more."""
    with transaction.atomic():
        AddressConfirmation.objects.filter(user=user, email=user.new_email).delete()
        User.objects.filter(pk=user.pk).update(new_email="")
    user.new_email = ""


def set_email(user: User, email: str, *, confirmed_at: Any) -> None:
    """Store the address of an account, in the caller's transaction. Raises ChatError("invalid")."""
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(
                email=email, email_confirmed_at=confirmed_at, new_email=""
            )
    except IntegrityError as error:
        if not is_taken(error, User, "email"):
            raise
        raise taken_error() from None
    user.email, user.email_confirmed_at, user.new_email = email, confirmed_at, ""


def announce_new_email(user_id: int, old: str, site: str) -> None:
    """Tell the owner of the former address, who may not be the one who changed it."""
    data = {"user": user_id, "old": old, "site": site, "language": mails.language_of_page()}
    mails.send_later(_CHANGED, data)


def _wrong_password_error() -> ChatError:
    return invalid_error("password", _("That’s not your current password."))


# --- emails ---------------------------------------------------------------------------------------------

_CONFIRM = "confirm_address"
_CHANGED = "email_changed"


def confirmation_email(data: dict[str, Any]) -> EmailMessage | None:
    """The token is made here, so that no row contains it."""
    email = data["email"]
    owner = _owner_of(data)
    if owner is None:
        return None
    token = secrets.token_urlsafe(24)
    of = {"user": owner} if isinstance(owner, User) else {"request": owner}
    AddressConfirmation.objects.create(token_hash=hash_token(token), email=email, **of)
    context = mails.context_of(data["site"])
    context["link"] = data["site"] + reverse("accounts:confirm", args=[token])
    # Nothing that was entered with the address: anyone can enter anyone's.
    with translation.override(owner.language or data["language"]):
        subject = _("Confirm your email address for %(installation)s at %(host)s") % context
        words = render_to_string("mails/confirm_address.txt", context)
    return mails.email(subject, words, to=email)


def _owner_of(data: dict[str, Any]) -> User | SignUpRequest | None:
    """Return whose address is still to be confirmed, or None."""
    email = data["email"]
    if "request" in data:
        found = SignUpRequest.objects.filter(pk=data["request"], email=email)
        return found.filter(state=SignUpRequest.State.UNCONFIRMED).first()
    user = User.objects.filter(pk=data["user"], is_active=True).first()
    if user is None or waits_for_confirmation(user) != email:
        return None
    other = user_by_email(email)
    return None if other is not None and other != user else user


def _changed_email(data: dict[str, Any]) -> EmailMessage | None:
    user = User.objects.filter(pk=data["user"]).first()
    if user is None:
        return None
    context = mails.context_of(data["site"])
    with translation.override(user.language or data["language"]):
        subject = _("Your email address for %(installation)s at %(host)s was changed") % context
        words = render_to_string("mails/email_changed.txt", context)
    return mails.email(subject, words, to=data["old"])


mails.register(_CONFIRM, confirmation_email)
mails.register(_CHANGED, _changed_email)
