"""Read-only questions about people and sign-ins."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import EMAIL_MAX, NAME_MAX, Picture, SignIn, User, normal_email
from chatty.common.errors import ChatError
from chatty.common.numbers import NUMBER_MAX
from chatty.common.rows import column_count, columns_of, instance_from_row
from chatty.common.text import too_long

# SQLite bounds the variables of a statement; PostgreSQL plans long lists badly.
_CHUNK = 1000


def user_by_email(email: str) -> User | None:
    """Return the account of this address, open or closed. Any text may be asked."""
    email = normal_email(email)
    # NUL and lone surrogates cannot be in a database; asking for them would be an error there.
    if len(email) > EMAIL_MAX or not email.isprintable():
        return None
    return User.objects.filter(email=email).first()


def active_users(ids: Iterable[int]) -> QuerySet[User]:
    return User.objects.filter(pk__in=list(ids), is_active=True)


def find_people(text: str) -> QuerySet[User]:
    """Return active people by name, of whose name every word of `text` is a part.

    Never searches addresses: that would tell who has an account under one.
    Raises ChatError("too_long", fields "q") for more than a name can have: SQLite refuses long patterns.
    """
    if len(text) > NAME_MAX:
        sentence = too_long(len(text), NAME_MAX)
        raise ChatError("too_long", sentence, fields={"q": [sentence]})
    people = User.objects.filter(is_active=True)
    # No name holds a NUL, and PostgreSQL cannot even be asked for one.
    for word in text.replace("\0", "").split():
        people = people.filter(name__icontains=word)
    return people.order_by("name", "pk")


def people_page(text: str, *, limit: int, after: tuple[str, int] | None = None) -> list[User]:
    """Return a page of find_people(). `after`: (name, id) of the last one of the page before."""
    people = find_people(text)
    if after is not None:
        name, pk = after
        people = people.filter(Q(name__gt=name) | Q(name=name, pk__gt=pk))
    return list(people[:limit])


def get_sign_in(sid: str, kind: str) -> SignIn | None:
    """Return this sign-in, over or not, with its user. One query."""
    if connection.vendor != "postgresql":
        return SignIn.objects.select_related("user").filter(sid=sid, kind=kind).first()
    # Every socket and every request asks: through the ORM this was a quarter of a socket's entrance.
    with connection.cursor() as cursor:
        cursor.execute(  # of our own names
            f"SELECT {columns_of(SignIn, 's')}, {columns_of(User, 'u')}"  # noqa: S608
            " FROM accounts_signin s JOIN accounts_user u ON u.id = s.user_id"
            " WHERE s.sid = %s AND s.kind = %s",
            [sid, kind],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    sign_in = instance_from_row(SignIn, row)
    sign_in.user = instance_from_row(User, row[column_count(SignIn) :])
    return sign_in


def signed_in_from(user: User, address_hash: str) -> bool:
    """Whether this person signed in from an address lately, whatever became of that sign-in."""
    return SignIn.objects.filter(user=user, address_hash=address_hash).exists()


def get_rotated_sign_in(sid: str, jti: str, *, since: datetime) -> SignIn | None:
    """Return the sign-in if this refresh token was exchanged after `since` and its successor, or an
    access token issued with that, has not been used. One query."""
    return (
        SignIn.objects.live()
        .select_related("user")
        .filter(sid=sid, previous_jti=jti, rotated_at__gt=since)
        .exclude(previous_jti="")
        .first()
    )


def picture(user_id: int, digest: str) -> bytes | None:
    """Return somebody's picture of this digest; None when they have another one, or none."""
    # Neither can be in a database; asking for them would be an error there.
    if user_id > NUMBER_MAX or not (digest.isascii() and digest.isalnum()):
        return None
    found = Picture.objects.filter(user_id=user_id, user__picture=digest)
    image = found.values_list("image", flat=True).first()
    return None if image is None else bytes(image)


def live_sign_ins(user: User) -> QuerySet[SignIn]:
    """This person's sign-ins that still open doors, the latest used first."""
    return SignIn.objects.live().filter(user=user).order_by("-last_seen_at", "sid")


def valid_sids(sids: Collection[str]) -> set[str]:
    """Return those of `sids` which are still signed in to an open account."""
    wanted = list(sids)
    valid: set[str] = set()
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        valid.update(SignIn.objects.live().filter(sid__in=chunk).values_list("sid", flat=True))
    return valid


def is_live(sign_in: SignIn) -> bool:
    return (
        sign_in.ended_at is None and sign_in.expires_at > timezone.now() and sign_in.user.is_active
    )


def require_live(sign_in: SignIn | None, *, code: str) -> SignIn:
    """Return the sign-in, or raise ChatError("account_closed") or the given code if it is over."""
    if sign_in is not None and not sign_in.user.is_active:
        raise ChatError("account_closed")
    if sign_in is None or not is_live(sign_in):
        raise ChatError(code)
    return sign_in
