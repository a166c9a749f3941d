"""Checking an email address and password, with limits on attempts."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.views.decorators.debug import sensitive_variables

from accounts.actions.sign_ins import hash_of_address
from accounts.devices import Device
from accounts.models import EMAIL_MAX, PASSWORD_MAX, SignUpRequest, User, normal_email
from accounts.queries import sign_up_request_of, signed_in_from, user_by_email
from chatty.common.errors import ChatError
from chatty.common.limiter import Bucket, bucket, buckets_of, limiter
from chatty.common.text import too_long

# What someone who knows the password of a request for an account learns.
_CODES_OF_REQUESTS: dict[str, str] = {
    SignUpRequest.State.UNCONFIRMED: "address_unconfirmed",
    SignUpRequest.State.WAITING: "approval_pending",
    SignUpRequest.State.REJECTED: "sign_up_rejected",
}


@sensitive_variables("password")
def authenticate(*, email: str, password: str, address: str, device: Device | None = None) -> User:
    """Return the user with this email and password. `device`: the browser, if it is known.

    Raises ChatError("too_long" with `fields` | "wrong_credentials" | "account_closed" |
    "address_unconfirmed" | "approval_pending" | "sign_up_rejected" | "slow_down" | "busy"). Computes one
    hash whether the account exists or not, so that timing reveals nothing. "account_closed", and the state of
    someone who has asked for an account, need the right password: only the owner learns of it.
    """
    check_sign_in_lengths(email, password)
    returned = _take_attempts(email, address, device)
    try:
        user = user_by_email(email)
        request = sign_up_request_of(email) if user is None else None
        right = _password_matches(user or request, password)
    except ChatError:  # "busy": nothing was hashed
        limiter.put_back_all(returned)
        raise
    if request is not None and right:
        raise ChatError(_CODES_OF_REQUESTS[request.state])
    if user is None or not right:
        raise ChatError("wrong_credentials")
    if not user.is_active:
        raise ChatError("account_closed")
    limiter.put_back_all(returned)
    return user


def check_sign_in_lengths(email: str, password: str) -> None:
    """Raises ChatError("too_long") for input that cannot match any account.

    Such an attempt is neither hashed nor counted.
    """
    for field, text, most in (("email", email, EMAIL_MAX), ("password", password, PASSWORD_MAX)):
        if len(text) > most:
            sentence = too_long(len(text), most)
            raise ChatError("too_long", sentence, fields={field: [sentence]})


def _take_attempts(email: str, address: str, device: Device | None) -> list[Bucket]:
    """Count a sign-in attempt. Returns the buckets to put a token back into if it succeeds.

    There is no bucket per account: someone guessing Alice's password must not be able to lock Alice
    out. No token is put back into the narrow ones, because a right password costs a hash too. When the
    shared limits are used up, people who have signed in from this browser or address before have
    limits of their own.

    Raises ChatError("slow_down").
    """
    narrow = [
        bucket("sign_in", f"{normal_email(email)} {address}"),
        *buckets_of("passwords", address),
    ]
    wide = [*buckets_of("sign_in_address", address), bucket("sign_in_all", "")]
    try:
        limiter.take([*narrow, *wide])
    except ChatError:
        own = _attempts_of_user(user_by_email(email), address, device)
        if not own:
            raise
        limiter.take(own)
        return []
    return wide


def _attempts_of_user(user: User | None, address: str, device: Device | None) -> list[Bucket]:
    """Return the buckets of a user who has signed in from this browser or address before, or []."""
    if user is None:
        return []
    if device is not None and device.has_signed_in(user):
        return [
            bucket("sign_in_device", f"{user.pk} {device.id}"),
            bucket("sign_in_devices", str(user.pk)),
        ]
    if signed_in_from(user, hash_of_address(address)):
        return [
            bucket("sign_in_device", f"{user.pk} {address}"),
            bucket("passwords", address),
        ]
    return []


@sensitive_variables("password")
def _password_matches(owner: User | SignUpRequest | None, password: str) -> bool:
    if owner is None:
        make_password(password)  # takes as long as a real check, so timing reveals no accounts
        return False
    return owner.check_password(password)
