"""Read-only queries for accounts and sign-ins."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts.models import EMAIL_MAX, NAME_MAX, Picture, SignIn, SignUpRequest, User, normal_email
from chatty.common.errors import ChatError
from chatty.common.folded_names import contains_all
from chatty.common.numbers import NUMBER_MAX
from chatty.common.rows import attach, column_count, columns_of, instance_from_row, instance_maker
from chatty.common.text import too_long
from chatty.statements import fetch_rows

# SQLite limits the parameters of a statement, and PostgreSQL plans long lists badly.
_CHUNK = 1000


def user_by_email(email: str) -> User | None:
    """Return the account with this address, active or not. `email` can be any text."""
    email = normal_email(email)
    # NUL and lone surrogates are never stored, and the database raises an error for them.
    if len(email) > EMAIL_MAX or not email.isprintable():
        return None
    return User.objects.filter(email=email).first()


def sign_up_request_of(email: str) -> SignUpRequest | None:
    """Return the latest request for an account with this address. `email` can be any text."""
    email = normal_email(email)
    if len(email) > EMAIL_MAX or not email.isprintable():
        return None
    return SignUpRequest.objects.filter(email=email).order_by("-pk").first()


def active_users(ids: Iterable[int]) -> QuerySet[User]:
    return User.objects.filter(pk__in=list(ids), is_active=True)


def find_people(text: str) -> QuerySet[User]:
    """Return the active people whose names contain every word of `text`, in any case and with or without
    accents, ordered by name.

    Email addresses are not searched: that would reveal who has an account.
    Raises ChatError("too_long", fields "q") for a text longer than any name: SQLite rejects long
    patterns.
    """
    if len(text) > NAME_MAX:
        sentence = too_long(len(text), NAME_MAX)
        raise ChatError("too_long", sentence, fields={"q": [sentence]})
    return User.objects.filter(contains_all(text), is_active=True).order_by("name", "pk")


def people_seen_last(*, limit: int) -> list[User]:
    """Return the first `limit` of the active people, those first who used a browser last. Accounts of
    programs, which don't use one, are last."""
    seen = SignIn.objects.filter(user=OuterRef("pk"), kind=SignIn.Kind.WEB, ended_at=None)
    last = Subquery(seen.order_by("-last_seen_at").values("last_seen_at")[:1])
    found = find_people("").order_by(last.desc(nulls_last=True), "name", "pk")
    return list(found[:limit])


def people_page(text: str, *, limit: int, after: tuple[str, int] | None = None) -> list[User]:
    """Return a page of find_people(). `after`: (name, id) of the last person on the previous page."""
    people = find_people(text)
    if after is not None:
        name, pk = after
        people = people.filter(Q(name__gt=name) | Q(name=name, pk__gt=pk))
    return list(people[:limit])


def people_with(ids: Iterable[int]) -> list[User]:
    """Return those of the people with these ids that are active, ordered by name."""
    return list(active_users(ids).order_by("name", "pk"))


def people_with_accounts(ids: Iterable[int]) -> list[User]:
    """Return the people with these ids, also those whose account is closed."""
    return list(User.objects.filter(pk__in=list(ids)).order_by("name", "pk"))


def get_sign_in(sid: str, kind: str) -> SignIn | None:
    """Return this sign-in, ended or not, with its user. One query."""
    # Raw SQL, because every socket and request needs it: the ORM took a quarter of the handshake.
    rows = fetch_rows(_sign_in_statement(), [sid, kind])
    if not rows:
        return None
    sign_in = instance_from_row(SignIn, rows[0])
    attach(sign_in, "user", instance_maker(User, start=column_count(SignIn))(rows[0]))
    return sign_in


@cache
def _sign_in_statement() -> str:
    return (
        f"SELECT {columns_of(SignIn, 's')}, {columns_of(User, 'u')}"  # noqa: S608 - our own names
        " FROM accounts_signin s JOIN accounts_user u ON u.id = s.user_id"
        " WHERE s.sid = %s AND s.kind = %s"
    )


def signed_in_from(user: User, address_hash: str) -> bool:
    """Return whether this user recently signed in from an address. The sign-in may have ended."""
    return SignIn.objects.filter(user=user, address_hash=address_hash).exists()


def get_rotated_sign_in(sid: str, jti: str, *, since: datetime) -> SignIn | None:
    """Return the sign-in if this refresh token may be exchanged again, else None. One query.

    That is the case if it was exchanged after `since`, and neither its successor nor an access token
    issued with the successor has been used.
    """
    return (
        SignIn.objects.live()
        .select_related("user")
        .filter(sid=sid, previous_jti=jti, rotated_at__gt=since)
        .exclude(previous_jti="")
        .first()
    )


def picture(user_id: int, digest: str) -> bytes | None:
    """Return the user's picture if it has this digest, else None."""
    # Other values are never stored, and the database raises an error for some of them.
    if user_id > NUMBER_MAX or not (digest.isascii() and digest.isalnum()):
        return None
    found = Picture.objects.filter(user_id=user_id, user__picture=digest)
    image = found.values_list("image", flat=True).first()
    return None if image is None else bytes(image)


def live_sign_ins(user: User) -> QuerySet[SignIn]:
    """Return the user's live sign-ins, most recently used first."""
    return SignIn.objects.live().filter(user=user).order_by("-last_seen_at", "sid")


def valid_sids(sids: Collection[str]) -> set[str]:
    """Return those of `sids` that are live sign-ins."""
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
    """Return the sign-in if it is live. Raises ChatError("account_closed") or ChatError(code)."""
    if sign_in is not None and not sign_in.user.is_active:
        raise ChatError("account_closed")
    if sign_in is None or not is_live(sign_in):
        raise ChatError(code)
    return sign_in
