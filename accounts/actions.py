"""Everything that changes people and sign-ins. Views, REST, admin and commands all come here.

Passwords are hashed before a transaction opens: a hash takes long enough to hold everybody up.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import mails, pictures
from accounts.devices import Device
from accounts.models import (
    EMAIL_MAX,
    HUES,
    NAME_MAX,
    PASSWORD_MAX,
    Contrast,
    Picture,
    SignIn,
    Theme,
    User,
    normal_email,
)
from accounts.queries import signed_in_from, user_by_email
from accounts.sessions import SID_KEY
from accounts.signals import ACCOUNT_CLOSED, SIGNED_OUT, announce_ended, announce_profile
from chatty.common.errors import ChatError
from chatty.common.integrity import is_taken
from chatty.common.limiter import Bucket, bucket, buckets_of, client_address, limiter
from chatty.common.numbers import NUMBER_MAX
from chatty.common.text import clean_line, too_long

CLIENT_MAX = 200
# Of one person and kind: so many that go on, and so many that are over.
SIGN_INS_MAX = 100


# -- Coming in ------------------------------------------------------------------------------------


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
    """Open an account for somebody at `address`.

    Raises ChatError("sign_up_closed" | "invalid" | "too_long" | ... with `fields` | "slow_down").
    That an address is taken is said plainly; the limit makes that a slow way to find people.
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
        raise _taken() from None
    return user


def require_sign_up_open(*, invited: bool = False) -> None:
    """Raises ChatError("sign_up_closed") with a sentence that says what the visitor can do."""
    if settings.SIGN_UP == "open" or (settings.SIGN_UP == "invited" and invited):
        return
    if settings.SIGN_UP == "invited":
        raise ChatError(
            "sign_up_closed", _("You need an invitation to sign up here. Ask whoever runs it.")
        )
    raise ChatError("sign_up_closed", _("Signing up is closed here. Ask whoever runs it."))


@sensitive_variables("password")
def authenticate(*, email: str, password: str, address: str, device: Device | None = None) -> User:
    """Return the person with this address and password. `device`: the browser, where it has been here.

    Raises ChatError("too_long" with `fields` | "wrong_credentials" | "account_closed" | "slow_down" |
    "busy"). Costs one hash whether the account exists or not. That an account is closed is told only
    to its owner.
    """
    check_sign_in_lengths(email, password)
    returned = _take_places(email, address, device)
    try:
        user = user_by_email(email)
        right = _password_matches(user, password)
    except ChatError:  # "busy": nothing was hashed
        limiter.put_back_all(returned)
        raise
    if user is None or not right:
        raise ChatError("wrong_credentials")
    if not user.is_active:
        raise ChatError("account_closed")
    limiter.put_back_all(returned)
    return user


def check_sign_in_lengths(email: str, password: str) -> None:
    """Raises ChatError("too_long") for what nobody's can be: it is neither hashed nor counted."""
    for field, text, most in (("email", email, EMAIL_MAX), ("password", password, PASSWORD_MAX)):
        if len(text) > most:
            sentence = too_long(len(text), most)
            raise ChatError("too_long", sentence, fields={field: [sentence]})


def _take_places(email: str, address: str, device: Device | None) -> list[Bucket]:
    """Count an attempt to sign in. Returns the buckets that get their token back if it is right.

    There is no bucket for the account alone: a stranger who guesses at Alice's password must not be
    able to lock Alice out. Two are never put back, as a right password costs a hash too. Where what
    is there for everybody is used up, whoever has signed in here before has places of their own.

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
        own = _own_places(user_by_email(email), address, device)
        if not own:
            raise
        limiter.take(own)
        return []
    return wide


def _own_places(user: User | None, address: str, device: Device | None) -> list[Bucket]:
    """Return the buckets of somebody who has signed in from this browser or address before."""
    if user is None:
        return []
    if device is not None and device.knows(user):
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


def hash_of_address(address: str) -> str:
    """Return what a sign-in keeps of a client_address(): enough to recognise it, not to read it."""
    return salted_hmac("accounts.address", address, algorithm="sha256").hexdigest()[:32]


@sensitive_variables("password")
def _password_matches(user: User | None, password: str) -> bool:
    if user is None:
        make_password(password)  # as long as a real check would have taken
        return False
    return user.check_password(password)


def sign_in_web(request: HttpRequest, user: User) -> None:
    """Sign this browser in. An earlier sign-in of the same browser ends."""
    before = request.session.get(SID_KEY)
    login(request, user)
    if before and before != request.session[SID_KEY]:
        end_sign_in(before)


def begin_web_sign_in(request: HttpRequest, user: User) -> None:
    """Give the session its sign-in row. Called by Django's login() through a signal."""
    before = request.session.get(SID_KEY)
    if before and SignIn.objects.live().filter(sid=before, user=user).exists():
        return  # signed in again on top of a good sign-in: it goes on
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
    """Open the row behind a family of tokens. Raises ChatError as authenticate does."""
    return _begin(
        user,
        kind=SignIn.Kind.TOKEN,
        client=client,
        address=address,
        refresh_jti=refresh_jti,
        expires_at=expires_at,
    )


def _begin(user: User, *, kind: SignIn.Kind, client: str, address: str, **fields: Any) -> SignIn:
    """Open a sign-in.

    A program that signs in anew each time it runs would leave thousands: beyond SIGN_INS_MAX of a
    kind the ones that rested longest end. Browsers and programs are counted apart, so a script
    cannot push its owner's browser out.
    """
    with transaction.atomic():
        # Closing the account or changing the password ends all sign-ins. Either may have happened
        # since the password was checked, and then this one must not slip in after them.
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
        _end_those_beyond_the_bound(user, kind)
        return sign_in


def _end_those_beyond_the_bound(user: User, kind: SignIn.Kind) -> None:
    of_kind = SignIn.objects.filter(user=user, kind=kind).order_by("-last_seen_at", "sid")
    for sid in list(of_kind.live().values_list("sid", flat=True)[SIGN_INS_MAX:]):
        end_sign_in(sid)
    over = of_kind.exclude(pk__in=of_kind.live().order_by().values("pk"))
    forgotten = list(over.values_list("pk", flat=True)[SIGN_INS_MAX:])
    if forgotten:
        SignIn.objects.filter(pk__in=forgotten).delete()


def touch_sign_in(sid: str, *, lifetime: timedelta) -> None:
    """Note that a sign-in was used, and let it run out `lifetime` from now."""
    now = timezone.now()
    SignIn.objects.filter(sid=sid, ended_at=None).update(
        last_seen_at=now, expires_at=now + lifetime
    )


def rotate_refresh(
    sid: str, *, old: str, new: str, rotated_at: datetime, expires_at: datetime
) -> bool:
    """Make `new` the one good refresh token of a sign-in. False if `old` was not.

    One statement on one row: of any number of parallel calls exactly one finds its `old`.
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
    """Note that the client has this refresh token: the one before it is not answered any more.

    Called at the first use of the token or of an access token issued with it, so once per rotation.
    """
    with transaction.atomic():
        SignIn.objects.filter(sid=sid, refresh_jti=jti).update(previous_jti="")


# -- Going out ------------------------------------------------------------------------------------


def end_sign_in(sid: str) -> bool:
    """End one sign-in with all its sessions, tokens and sockets. False if it was over already."""
    with transaction.atomic():
        row = SignIn.objects.filter(sid=sid).values_list("user_id", flat=True).first()
        if row is None or not _end(SignIn.objects.filter(sid=sid, ended_at=None)):
            return False
        bump_clock([row])
        announce_ended(row, sids=[sid], code=SIGNED_OUT)
        return True


def end_own_sign_in(user: User, sid: str) -> None:
    """End a sign-in of this person. Raises ChatError("not_found") for anybody else's."""
    # PostgreSQL would refuse even to look for a NUL.
    if "\x00" in sid or not SignIn.objects.filter(sid=sid, user=user).exists():
        raise ChatError("not_found")
    end_sign_in(sid)


def end_sign_ins(user: User, *, except_sid: str | None = None, code: int = SIGNED_OUT) -> None:
    """End all sign-ins of a person, but for `except_sid`."""
    with transaction.atomic():
        _end(SignIn.objects.filter(user=user, ended_at=None).exclude(sid=except_sid or ""))
        bump_clock([user.pk])
        announce_ended(user.pk, sids=None, except_sid=except_sid, code=code)


def _end(sign_ins: QuerySet[SignIn]) -> int:
    return sign_ins.update(ended_at=timezone.now(), refresh_jti="", previous_jti="")


# -- Changing -------------------------------------------------------------------------------------


@sensitive_variables("old", "new")
def change_password(user: User, *, old: str, new: str, keep_sid: str | None, address: str) -> None:
    """Change one's own password; every sign-in but `keep_sid` ends.

    Raises ChatError("invalid", fields "old_password" or "new_password") or ("slow_down").
    """
    if len(old) > PASSWORD_MAX:
        raise _invalid("old_password", _("This is not your present password."))
    # Whoever finds an open browser must not be able to guess the password from there; and the right
    # one costs hashes too.
    limiter.check("sign_in", f"{user.email} {address}")
    if not user.check_password(old):
        raise _invalid("old_password", _("This is not your present password."))
    check_password_rules(new, user, field="new_password")
    _store_password(user, new, keep_sid=keep_sid)


@sensitive_variables("old", "new")
def change_password_here(request: HttpRequest, *, old: str, new: str, address: str) -> None:
    """The same from a browser, which stays signed in."""
    user = cast(User, request.user)
    change_password(user, old=old, new=new, keep_sid=request.session.get(SID_KEY), address=address)
    update_session_auth_hash(request, user)


@sensitive_variables("new")
def reset_password(user: User, new: str) -> None:
    """Set somebody's password for them (staff, commands). All their sign-ins end."""
    check_password_rules(new, user, field="new_password")
    _store_password(user, new, keep_sid=None)


def ask_for_reset(*, email: str, address: str, site: str, device: Device | None = None) -> None:
    """Mail whoever has this address a link to choose a new password, if it is an account's.

    `site`: where links lead, "https://chat.example.org". Raises ChatError("invalid" | "slow_down" |
    "busy"). Neither what this does nor how long it takes tells whether there is such an account:
    all that depends on it happens later, beside the request.
    """
    email = clean_email(email)
    # Nobody's mailbox is to be filled, from however many addresses.
    mailbox = bucket("reset", email)
    try:
        limiter.take([mailbox, *buckets_of("reset_address", address), bucket("reset_all", "")])
    except ChatError:
        user = user_by_email(email) if device is not None else None
        if device is None or user is None or not device.knows(user):
            raise
        limiter.take([mailbox])
    language = get_language() or settings.LANGUAGE_CODE
    mails.post(partial(_reset_letter, email, site=site, language=language))


def _reset_letter(email: str, *, site: str, language: str) -> EmailMessage | None:
    user = user_by_email(email)
    # Who has no password was left without one by staff.
    if user is None or not user.is_active or not user.has_usable_password():
        return None
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("accounts:reset", args=[uid, default_token_generator.make_token(user)])
    return mails.about_reset(user, site=site, path=path, language=language)


def holder_of(uid: str, token: str) -> User:
    """Return who may choose a new password by this link. Raises ChatError("not_found")."""
    try:
        pk = int(urlsafe_base64_decode(uid))
    except ValueError:
        raise _link_is_over() from None
    user = User.objects.filter(pk=pk, is_active=True).first() if 0 < pk <= NUMBER_MAX else None
    if user is None or not default_token_generator.check_token(user, token):
        raise _link_is_over()
    return user


@sensitive_variables("new")
def reset_by_link(uid: str, token: str, *, new: str) -> None:
    """Set the password of whoever holds the link, which is used up then. All their sign-ins end.

    Raises ChatError("not_found") or ("invalid", fields "new_password").
    """
    user = holder_of(uid, token)
    check_password_rules(new, user, field="new_password")
    encoded = make_password(new)
    with transaction.atomic():
        # Of any number at once, one alone finds the password that the link was made for.
        known = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
        if not known.update(password=encoded):
            raise _link_is_over()
        end_sign_ins(user)


def _link_is_over() -> ChatError:
    return ChatError("not_found", _("This link does not work any more."))


def take_password(user: User) -> None:
    """Leave somebody without a password (staff): until they are given one nobody can sign in."""
    _store_password(user, None, keep_sid=None)


@sensitive_variables("new")
def _store_password(user: User, new: str | None, *, keep_sid: str | None) -> None:
    encoded = make_password(new)
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(password=encoded)
        end_sign_ins(user, except_sid=keep_sid)
    user.password = encoded


def update_profile(
    user: User, *, picture: bytes | None = None, remove_picture: bool = False, **given: Any
) -> User:
    """Change what is given: fields named in CLEANED, a picture in any format pictures.remade takes.

    Raises ChatError with `fields`, or ("slow_down" | "busy"); then nothing has changed.
    """
    changes = {field: CLEANED[field](value) for field, value in given.items()}
    image = None
    if picture is not None:
        limiter.check("pictures", str(user.pk))  # a second's work each, one at a time for all
        image = pictures.remade(picture)
        changes["picture"] = pictures.digest(image)
    elif remove_picture:
        changes["picture"] = ""
    if not changes:
        return user
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(**changes)
        if image is not None:
            Picture.objects.update_or_create(user_id=user.pk, defaults={"image": image})
        elif remove_picture:
            Picture.objects.filter(user_id=user.pk).delete()
        if changes.keys() & SHOWN_TO_OTHERS:
            announce_profile(user.pk)
    for field, value in changes.items():
        setattr(user, field, value)
    return user


def close_account(user: User) -> None:
    """Shut somebody out, at once and everywhere. What they wrote stays, with their name."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False, closed_at=timezone.now())
        end_sign_ins(user, code=ACCOUNT_CLOSED)
    user.refresh_from_db(fields=["is_active", "closed_at", "clock"])


def reopen_account(user: User) -> None:
    """Let them in again. Their old sign-ins stay ended: they sign in anew."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=True, closed_at=None)
        bump_clock([user.pk])
    user.refresh_from_db(fields=["is_active", "closed_at", "clock"])


def bump_clock(user_ids: Iterable[int]) -> None:
    """Move these people's clocks on. Call it inside the transaction that changed something."""
    ids = sorted(set(user_ids))
    with transaction.atomic():
        people = User.objects.filter(pk__in=ids)
        if len(ids) > 1:
            # Two transactions that lock several people do so in the same order.
            list(people.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        people.update(clock=F("clock") + 1)


# -- Rules for what is given ----------------------------------------------------------------------


def clean_email(email: str) -> str:
    """Return an address as it is stored. Raises ChatError("invalid") with fields={"email": ...}."""
    email = normal_email(clean_line(email, field="email", max_length=EMAIL_MAX))
    try:
        validate_email(email)
    except ValidationError:
        raise _invalid("email", _("This does not look like an e-mail address.")) from None
    return email


def clean_time_zone(name: str) -> str:
    """Return the name of a zone this server knows, or "" for none."""
    if name and name not in time_zones():
        raise _invalid("time_zone", _("This time zone is not known here."))
    return name


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The names this machine knows. Kept: looking means walking through hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def clean_name(name: str) -> str:
    return clean_line(name, field="name", max_length=NAME_MAX)


def clean_language(code: str) -> str:
    """Return the code of a language Chatty speaks, or "" for the browser's."""
    if code and code not in dict(settings.LANGUAGES):
        raise _invalid("language", _("Chatty does not speak this language."))
    return code


def clean_theme(theme: str) -> str:
    if theme not in Theme.values:
        raise _invalid("theme", _("There is no such theme."))
    return theme


def clean_contrast(contrast: str) -> str:
    if contrast not in Contrast.values:
        raise _invalid("contrast", _("There is no such contrast."))
    return contrast


def clean_hue(hue: int | None) -> int | None:
    """Return a colour, or None for the one that follows from the id."""
    if hue is not None and not 0 <= hue < HUES:
        raise _invalid("hue", _("There is no such colour."))
    return hue


# What people may change of themselves by update_profile.
CLEANED: dict[str, Callable[[Any], Any]] = {
    "name": clean_name,
    "time_zone": clean_time_zone,
    "language": clean_language,
    "theme": clean_theme,
    "contrast": clean_contrast,
    "chosen_hue": clean_hue,
}
SHOWN_TO_OTHERS = {"name", "chosen_hue", "picture"}


@sensitive_variables("password")
def check_password_rules(password: str, user: User, *, field: str) -> None:
    """Raises ChatError("invalid") with every rule of AUTH_PASSWORD_VALIDATORS it breaks."""
    # First of all, for the other rules take their time over long texts.
    if len(password) > PASSWORD_MAX:
        raise _invalid(
            field,
            _("This password is too long. It may have %(max)d characters.") % {"max": PASSWORD_MAX},
        )
    try:
        password.encode()
        validate_password(password, user)
    except UnicodeEncodeError:
        raise _invalid(field, _("This password contains characters that cannot be used.")) from None
    except ValidationError as error:
        raise _invalid(field, *error.messages) from None


def clean_client(text: str) -> str:
    """What a client calls itself, made harmless: one line of printable characters, cut short."""
    return "".join(c if c.isprintable() else " " for c in text)[:CLIENT_MAX].strip()


def _taken() -> ChatError:
    return _invalid("email", _("There is already an account with this e-mail address."))


def _invalid(field: str, *sentences: str) -> ChatError:
    return ChatError("invalid", sentences[0], fields={field: list(sentences)})
