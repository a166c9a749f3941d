"""Sign-ups that wait for an administrator or for a confirmation: asking, approving, rejecting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import mails
from accounts.actions.addresses import confirmation_email, store_confirmation, take_confirmation
from accounts.actions.fields import clean_email, taken_error
from accounts.actions.registration import closed_error, insert_account, new_user, register
from accounts.installation import may_sign_up_by_domain, sign_up_policy
from accounts.models import NOTE_MAX, SignUpPolicy, SignUpRequest, User
from accounts.queries import sign_up_request_of, user_by_email
from accounts.upkeep import FORGET_REJECTED_AFTER
from chatty.common.errors import ChatError
from chatty.common.integrity import is_taken
from chatty.common.limiter import limiter
from chatty.common.text import clean_note

_State = SignUpRequest.State


@sensitive_variables("password")
def sign_up(
    *,
    email: str,
    password: str,
    name: str,
    time_zone: str = "",
    note: str = "",
    address: str,
    site: str,
) -> User | SignUpRequest:
    """Create an account, or a request for one: where an administrator has to approve it first, or the
    address must be confirmed because only people of some domains may sign up.

    `site`: the base URL of links in emails. Raises as register(). An address that is waiting for approval
    gets the same error as one that has an account.
    """
    policy = sign_up_policy()
    if policy == SignUpPolicy.OPEN:
        return register(
            email=email,
            password=password,
            name=name,
            time_zone=time_zone,
            address=address,
            site=site,
        )
    limiter.check_address("sign_up", address)
    email = clean_email(email)
    by_domain = may_sign_up_by_domain(email)
    if policy != SignUpPolicy.APPROVED and not by_domain:
        raise _domain_error() if settings.SIGN_UP_DOMAINS else closed_error(policy)
    note = clean_note(note, field="note", max_length=NOTE_MAX)
    user = new_user(email=email, password=password, name=name, time_zone=time_zone)
    return _ask_to_confirm(user, address, site) if by_domain else _ask_for_approval(user, note)


def _domain_error() -> ChatError:
    domains = ", ".join(settings.SIGN_UP_DOMAINS)
    sentence = _("Only people with an email address at %(domains)s can sign up.") % {
        "domains": domains
    }
    return ChatError("sign_up_closed", sentence, fields={"email": [sentence]})


def _ask_for_approval(user: User, note: str) -> SignUpRequest:
    asked = SignUpRequest.objects.filter(email=user.email)
    if user_by_email(user.email) is not None or asked.filter(state=_State.WAITING).exists():
        raise taken_error()
    # Someone who was rejected may ask again, but not all the time.
    limiter.check("sign_up_requests", user.email)
    request = _request_of(user, note=note)
    try:
        with transaction.atomic():
            asked.filter(state=_State.REJECTED).delete()
            request.save(force_insert=True)
    except IntegrityError as error:
        if not is_taken(error, SignUpRequest, "email"):
            raise
        raise taken_error() from None
    return request


def _request_of(user: User, *, state: str = _State.WAITING, note: str = "") -> SignUpRequest:
    return SignUpRequest(
        email=user.email,
        name=user.name,
        password=user.password,
        time_zone=user.time_zone,
        language=mails.language_of_page(),
        note=note,
        state=state,
    )


def approve_sign_ups(requests: Iterable[SignUpRequest], *, site: str) -> list[User]:
    """Create the accounts of those that are waiting, and tell them by email. Returns the accounts.

    `site`: the base URL of links, "https://chat.example.org". A request whose address has an account by
    now is removed.
    """
    found = (_approve(request.pk, site) for request in requests)
    return [user for user in found if user is not None]


def _approve(pk: int, site: str) -> User | None:
    with transaction.atomic():
        request = _waiting(pk)
        if request is None:
            return None
        request.delete()
        user = request.new_account()
        try:
            insert_account(user)
        except ChatError:  # the address has an account by now
            return None
        if settings.MAIL_SET_UP:
            data = {"user": user.pk, "site": site, "language": request.language}
            mails.send_later(_APPROVED, data)
    return user


def reject_sign_ups(requests: Iterable[SignUpRequest], *, site: str) -> int:
    """Reject those that are waiting, and tell them by email. Returns how many.

    What is known of them is removed after upkeep.FORGET_REJECTED_AFTER.
    """
    return sum(_reject(request.pk, site) for request in requests)


def _reject(pk: int, site: str) -> bool:
    with transaction.atomic():
        request = _waiting(pk)
        if request is None:
            return False
        request.state, request.decided_at = _State.REJECTED, timezone.now()
        request.save(update_fields=["state", "decided_at"])
        if settings.MAIL_SET_UP:
            mails.send_later(_REJECTED, {"request": pk, "site": site})
        return True


def _waiting(pk: int) -> SignUpRequest | None:
    """Return and lock a request that is still waiting: two administrators can answer at once."""
    rows = SignUpRequest.objects.select_for_update()
    return rows.filter(pk=pk, state=_State.WAITING).first()


# --- confirming -----------------------------------------------------------------------------------------


def _ask_to_confirm(user: User, address: str, site: str) -> SignUpRequest:
    if user_by_email(user.email) is not None:
        raise taken_error()
    take_confirmation(user.email, address)
    request = _request_of(user, state=_State.UNCONFIRMED)
    with transaction.atomic():
        request.save(force_insert=True)
        store_confirmation(request, request.email, site)
    return request


def request_sign_up_link(*, email: str, address: str, site: str) -> None:
    """Send the link of a sign-up again, if this address is waiting for one.

    Raises ChatError("invalid" | "slow_down"). As with password resets, the same row is stored for any
    address, and neither the result nor the time taken reveals whether someone is signing up with it.
    """
    email = clean_email(email)
    take_confirmation(email, address)
    data = {"email": email, "site": site, "language": mails.language_of_page()}
    mails.send_later(_LINK, data)


# --- emails ---------------------------------------------------------------------------------------------

_APPROVED = "sign_up_approved"
_REJECTED = "sign_up_rejected"
_LINK = "sign_up_link"


def _approved_email(data: dict[str, Any]) -> EmailMessage | None:
    user = User.objects.filter(pk=data["user"], is_active=True).first()
    if user is None:
        return None
    context = mails.context_of(data["site"])
    context["link"] = data["site"] + reverse("accounts:sign_in")
    with translation.override(user.language or data["language"]):
        subject = _("You can now sign in to %(installation)s at %(host)s") % context
        words = render_to_string("mails/sign_up_approved.txt", context)
    return mails.email(subject, words, to=user.email)


def _rejected_email(data: dict[str, Any]) -> EmailMessage | None:
    request = SignUpRequest.objects.filter(pk=data["request"], state=_State.REJECTED).first()
    if request is None:
        return None
    context = {**mails.context_of(data["site"]), "days": FORGET_REJECTED_AFTER.days}
    with translation.override(request.language):
        subject = _("Your request to join %(installation)s at %(host)s") % context
        words = render_to_string("mails/sign_up_rejected.txt", context)
    return mails.email(subject, words, to=request.email)


def _link_email(data: dict[str, Any]) -> EmailMessage | None:
    request = sign_up_request_of(data["email"])
    return None if request is None else confirmation_email({**data, "request": request.pk})


mails.register(_LINK, _link_email)
mails.register(_APPROVED, _approved_email)
mails.register(_REJECTED, _rejected_email)
