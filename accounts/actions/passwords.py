"""Changing and resetting passwords.

Passwords are hashed before a transaction opens: a hash takes long enough to block other writers.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import mails
from accounts.actions.fields import clean_email, invalid_error
from accounts.actions.sign_ins import end_sign_ins
from accounts.current_user import current_user
from accounts.devices import Device
from accounts.models import PASSWORD_MAX, User
from accounts.queries import user_by_email
from accounts.sessions import SID_KEY
from chatty.common.errors import ChatError
from chatty.common.limiter import bucket, buckets_of, limiter
from chatty.common.numbers import NUMBER_MAX


@sensitive_variables("old", "new")
def change_password(user: User, *, old: str, new: str, keep_sid: str | None, address: str) -> None:
    """Change the user's own password. All sign-ins except `keep_sid` end.

    Raises ChatError("invalid", fields "old_password" or "new_password") or ("slow_down").
    """
    if len(old) > PASSWORD_MAX:
        raise invalid_error("old_password", _("That’s not your current password."))
    # Someone at an unlocked browser must not be able to guess the password here. Right passwords
    # count too, because they cost hashes.
    limiter.check("sign_in", f"{user.email} {address}")
    if not user.check_password(old):
        raise invalid_error("old_password", _("That’s not your current password."))
    check_password_rules(new, user, field="new_password")
    _store_password(user, new, keep_sid=keep_sid)


@sensitive_variables("old", "new")
def change_password_in_session(request: HttpRequest, *, old: str, new: str, address: str) -> None:
    """As change_password(), for a browser session, which stays signed in."""
    user = current_user(request)
    change_password(user, old=old, new=new, keep_sid=request.session.get(SID_KEY), address=address)
    update_session_auth_hash(request, user)


@sensitive_variables("new")
def reset_password(user: User, new: str) -> None:
    """Set a user's password as an administrator or from a command. All their sign-ins end."""
    check_password_rules(new, user, field="new_password")
    _store_password(user, new, keep_sid=None)


def request_password_reset(
    *, email: str, address: str, site: str, device: Device | None = None
) -> None:
    """Send a password reset link to this address, if it belongs to an account.

    `site`: the base URL of the link, "https://chat.example.org". Raises ChatError("invalid" |
    "slow_down"). Neither the result nor the time taken may reveal whether the account exists: the
    same row is stored for any address, and all that depends on the account happens when it is handled.
    """
    email = clean_email(email)
    # This bucket is always checked: requests from many addresses must not flood one mailbox.
    mailbox = bucket("reset", email)
    try:
        limiter.take([mailbox, *buckets_of("reset_address", address), bucket("reset_all", "")])
    except ChatError:
        user = user_by_email(email) if device is not None else None
        if device is None or user is None or not device.has_signed_in(user):
            raise
        limiter.take([mailbox])
    data = {"email": email, "site": site, "language": mails.language_of_page()}
    mails.send_later(_RESET, data)


_RESET = "password_reset"


def _reset_email(data: dict[str, Any]) -> EmailMessage | None:
    user = user_by_email(data["email"])
    # An unusable password was set by an administrator on purpose: a reset must not undo that.
    if user is None or not user.is_active or not user.has_usable_password():
        return None
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse(
        "accounts:password_reset_confirm", args=[uid, default_token_generator.make_token(user)]
    )
    site = data["site"]
    context = {**mails.context_of(site), "name": user.name, "link": site + path}
    with translation.override(user.language or data["language"]):
        subject = _("Reset your password for %(installation)s at %(host)s") % context
        words = render_to_string("mails/reset.txt", context)
    return mails.email(subject, words, to=user.email)


mails.register(_RESET, _reset_email)


def get_user_of_link(uid: str, token: str) -> User:
    """Return the user of a password reset link. Raises ChatError("not_found") if it is not valid."""
    try:
        pk = int(urlsafe_base64_decode(uid))
    except ValueError:
        raise _link_expired_error() from None
    user = User.objects.filter(pk=pk, is_active=True).first() if 0 < pk <= NUMBER_MAX else None
    if user is None or not default_token_generator.check_token(user, token):
        raise _link_expired_error()
    return user


@sensitive_variables("new")
def reset_password_by_link(uid: str, token: str, *, new: str) -> None:
    """Set a new password with a reset link, which works only once. All sign-ins of the user end.

    Raises ChatError("not_found") or ("invalid", fields "new_password").
    """
    user = get_user_of_link(uid, token)
    check_password_rules(new, user, field="new_password")
    encoded = make_password(new)
    with transaction.atomic():
        # The link is bound to the old password hash: of several parallel requests only one matches.
        known = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
        # It was sent to this address, which is part of the link's hash.
        proved = Coalesce("email_confirmed_at", Now())
        if not known.update(password=encoded, email_confirmed_at=proved):
            raise _link_expired_error()
        end_sign_ins(user)


def _link_expired_error() -> ChatError:
    return ChatError("not_found", _("This link has expired."))


def remove_password(user: User) -> None:
    """Remove a user's password, as an administrator. They cannot sign in until a new one is set."""
    _store_password(user, None, keep_sid=None)


@sensitive_variables("new")
def _store_password(user: User, new: str | None, *, keep_sid: str | None) -> None:
    encoded = make_password(new)
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(password=encoded)
        end_sign_ins(user, except_sid=keep_sid)
    user.password = encoded


@sensitive_variables("password")
def check_password_rules(password: str, user: User, *, field: str) -> None:
    """Raises ChatError("invalid") with all rules of AUTH_PASSWORD_VALIDATORS that it breaks."""
    # Checked first, because the other rules are slow on long texts.
    if len(password) > PASSWORD_MAX:
        raise invalid_error(
            field,
            _("This password is too long (max %(max)d characters).") % {"max": PASSWORD_MAX},
        )
    try:
        password.encode()
        validate_password(password, user)
    except UnicodeEncodeError:
        raise invalid_error(
            field, _("This password contains characters that can’t be used.")
        ) from None
    except ValidationError as error:
        raise invalid_error(field, *error.messages) from None
