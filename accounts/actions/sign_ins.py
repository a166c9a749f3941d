"""Sign-ins: the rows behind browser sessions and token families, from start to end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import login
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.actions.clocks import bump_clock
from accounts.actions.fields import clean_client
from accounts.models import SignIn, User
from accounts.sessions import SID_KEY
from accounts.signals import SIGNED_OUT, announce_ended
from chatty.common.errors import ChatError
from chatty.common.limiter import client_address

# Per user and kind: how many live sign-ins, and how many ended ones, are kept.
SIGN_INS_MAX = 100


def hash_of_address(address: str) -> str:
    """Return a keyed hash of a client_address(): it can be compared, but not read."""
    return salted_hmac("accounts.address", address, algorithm="sha256").hexdigest()[:32]


def sign_in_web(request: HttpRequest, user: User, *, time_zone: str = "") -> None:
    """Sign this browser in. An earlier sign-in of the same browser ends.

    `time_zone`: the browser's, one of time_zones(). It becomes the user's at their first sign-in, unless they
    have one. Not later: then an empty one can be their choice, the server's zone.
    """
    before, is_first = request.session.get(SID_KEY), user.last_login is None
    login(request, user)
    if before and before != request.session[SID_KEY]:
        end_sign_in(before)
    if is_first and time_zone:
        User.objects.filter(pk=user.pk, time_zone="").update(time_zone=time_zone)


def begin_web_sign_in(request: HttpRequest, user: User) -> None:
    """Create the sign-in row of a session. Called from Django's login() through a signal."""
    before = request.session.get(SID_KEY)
    if before and SignIn.objects.live().filter(sid=before, user=user).exists():
        return  # already signed in as this user: keep the sign-in
    sign_in = _begin(
        user,
        kind=SignIn.Kind.WEB,
        client=request.META.get("HTTP_USER_AGENT", ""),
        address=client_address(request),
        expires_at=timezone.now() + timedelta(seconds=request.session.get_expiry_age()),
    )
    request.session[SID_KEY] = sign_in.sid


def begin_token_sign_in(
    user: User, *, client: str, address: str, refresh_jti: str, expires_at: datetime
) -> SignIn:
    """Create the row behind a token family. Raises ChatError("account_closed" | "wrong_credentials")."""
    return _begin(
        user,
        kind=SignIn.Kind.TOKEN,
        client=client,
        address=address,
        refresh_jti=refresh_jti,
        expires_at=expires_at,
    )


def _begin(user: User, *, kind: SignIn.Kind, client: str, address: str, **fields: Any) -> SignIn:
    """Create a sign-in.

    A script that signs in every time it runs would leave thousands of rows, so beyond SIGN_INS_MAX
    the least recently used ones end. Browsers and programs are counted separately: a script cannot
    sign its owner's browser out.
    """
    with transaction.atomic():
        # Closing the account and changing the password end all sign-ins. If either happened since
        # the password was checked, this sign-in must not survive it. That is why the row is locked.
        now = (
            User.objects.select_for_update(no_key=True)
            .filter(pk=user.pk)
            .values("is_active", "password")
            .first()
        )
        if now is None or not now["is_active"]:
            raise ChatError("account_closed")
        if now["password"] != user.password:
            raise ChatError("wrong_credentials")
        sign_in = SignIn.objects.create(
            user=user,
            kind=kind,
            client=clean_client(client),
            address_hash=hash_of_address(address),
            **fields,
        )
        _end_oldest_sign_ins(user, kind)
        return sign_in


def _end_oldest_sign_ins(user: User, kind: SignIn.Kind) -> None:
    of_kind = SignIn.objects.filter(user=user, kind=kind).order_by("-last_seen_at", "sid")
    for sid in list(of_kind.live().values_list("sid", flat=True)[SIGN_INS_MAX:]):
        end_sign_in(sid)
    over = of_kind.exclude(pk__in=of_kind.live().order_by().values("pk"))
    forgotten = list(over.values_list("pk", flat=True)[SIGN_INS_MAX:])
    if forgotten:
        SignIn.objects.filter(pk__in=forgotten).delete()


def touch_sign_in(sid: str, *, lifetime: timedelta) -> None:
    """Update when a sign-in was last used, and let it expire `lifetime` from now."""
    now = timezone.now()
    SignIn.objects.filter(sid=sid, ended_at=None).update(
        last_seen_at=now, expires_at=now + lifetime
    )


def rotate_refresh(
    sid: str, *, old: str, new: str, rotated_at: datetime, expires_at: datetime
) -> bool:
    """Replace the valid refresh token `old` by `new`. Returns False if `old` was not the valid one.

    This is one UPDATE of one row, so of several parallel calls with the same `old` only one succeeds.
    """
    return bool(
        SignIn.objects.filter(sid=sid, refresh_jti=old, ended_at=None).update(
            refresh_jti=new,
            previous_jti=old,
            rotated_at=rotated_at,
            last_seen_at=rotated_at,
            expires_at=expires_at,
        )
    )


def confirm_refresh(sid: str, jti: str) -> None:
    """Record that the client received this refresh token: the previous one is rejected from now on.

    Called on the first use of the access token issued with it, so once per rotation.
    """
    with transaction.atomic():
        SignIn.objects.filter(sid=sid, refresh_jti=jti).update(previous_jti="")


def end_sign_in(sid: str) -> bool:
    """End a sign-in with its session, tokens and sockets. Returns False if it had already ended."""
    with transaction.atomic():
        row = SignIn.objects.filter(sid=sid).values_list("user_id", flat=True).first()
        if row is None or not _end(SignIn.objects.filter(sid=sid, ended_at=None)):
            return False
        bump_clock([row])
        announce_ended(row, sids=[sid], code=SIGNED_OUT)
        return True


def end_own_sign_in(user: User, sid: str) -> None:
    """End one of this user's sign-ins. Raises ChatError("not_found") for any other."""
    # PostgreSQL raises an error for a NUL in a parameter.
    if "\x00" in sid or not SignIn.objects.filter(sid=sid, user=user).exists():
        raise ChatError("not_found")
    end_sign_in(sid)


def end_sign_ins(user: User, *, except_sid: str | None = None, code: int = SIGNED_OUT) -> None:
    """End all sign-ins of a user except `except_sid`."""
    with transaction.atomic():
        _end(SignIn.objects.filter(user=user, ended_at=None).exclude(sid=except_sid or ""))
        bump_clock([user.pk])
        announce_ended(user.pk, sids=None, except_sid=except_sid, code=code)


def _end(sign_ins: QuerySet[SignIn]) -> int:
    return sign_ins.update(ended_at=timezone.now(), refresh_jti="", previous_jti="")
