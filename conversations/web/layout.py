"""What stands around every page of somebody signed in."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.numbers import NUMBER_MAX
from chatty.common.pages import SeeOther
from conversations import limits, queries
from conversations.models import Conversation, Membership
from conversations.realtime.presence import who_is_here
from conversations.wire import person_to_wire

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

SIDEBAR_ROWS = 200


def door(*methods: str) -> Callable[[View[P]], View[P]]:
    """Let in only people who are signed in, and only these methods (HEAD goes with GET).

    Whoever is not signed in is asked to, and comes back to the page: after a refused POST to the
    page it belongs to, since an address that takes only POST shows nothing. Words are given back.
    """
    allowed = {*methods, *({"HEAD"} if "GET" in methods else ())}

    def decorate(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method not in allowed:
                return _not_that_way(request, allowed)
            if request.user.is_authenticated:
                if any(isinstance(value, int) and value > NUMBER_MAX for value in kwargs.values()):
                    raise ChatError("not_found")  # no row can have it: databases refuse to look
                return view(request, *args, **kwargs)
            if request.method == "POST":
                return _signed_out_meanwhile(request, redirect_to_login(_page_of(kwargs)).url)
            return redirect_to_login(request.get_full_path())

        return guarded  # type: ignore[return-value]  # wraps() forgets that `request` may go by place

    return decorate


def _signed_out_meanwhile(request: HttpRequest, sign_in: str) -> HttpResponse:
    """Ask to sign in; words that came along are given back first, or they would be lost there."""
    body = request.POST.get("body", "")
    if not body.strip():
        return SeeOther(sign_in)
    error = ChatError("unauthenticated")
    context = {"body": body, "sign_in": sign_in}
    return render(request, "conversations/unsent_signed_out.html", context, status=error.status)


def _not_that_way(request: HttpRequest, allowed: set[str]) -> HttpResponse:
    error = ChatError("method_not_allowed")
    context = {"code": error.code, "detail": error.detail, "status": error.status}
    page = render(request, "400.html", context, status=error.status)
    page.headers["Allow"] = ", ".join(sorted(allowed))
    return page


def _page_of(kwargs: dict[str, Any]) -> str:
    if "message_id" in kwargs:
        return reverse("conversations:message", args=[kwargs["message_id"]])
    if "conversation_id" in kwargs:
        return reverse("conversations:conversation", args=[kwargs["conversation_id"]])
    return reverse("conversations:home")


def own(request: HttpRequest) -> User:
    """Return who is asking; `door` has seen to it that it is somebody."""
    assert isinstance(request.user, User)
    return request.user


def whole(text: object, *, least: int = 0) -> int | None:
    """Return a number from an address or a form; None for anything a row cannot have."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if least <= number <= NUMBER_MAX else None


def wholes(texts: list[str]) -> list[int]:
    return [number for text in texts if (number := whole(text, least=1)) is not None]


def safe_next(request: HttpRequest, otherwise: str) -> str:
    """Return where the form says to go on, if that is a page of ours."""
    url = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if safe else otherwise


# --- the list of conversations -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation of the list, as _sidebar_row.html shows it."""

    id: int
    kind: str
    access: str
    name: str
    archived: bool
    unread: int
    unread_more: bool
    level: str
    mentions: list[int]
    face: User | None
    url: str
    current: bool
    here: bool

    @property
    def level_in_force(self) -> str:
        """Directs know no mentions: everything in one is for its reader (roster.js: levelOf)."""
        asks_mentions = self.level == Membership.Level.MENTIONS
        is_direct = self.kind == Conversation.Kind.DIRECT
        return Membership.Level.ALL if asks_mentions and is_direct else self.level

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing in it that one wants to be told of (roster.js: callsOf)."""
        match self.level_in_force:
            case Membership.Level.ALL:
                return not self.unread
            case Membership.Level.MENTIONS:
                return not self.mentions
        return True


BLANK_ROW = Row(0, "group", "closed", "", False, 0, False, "all", [], None, "/c/0/", False, False)


@dataclass(frozen=True, slots=True)
class Sidebar:
    rows: list[Row]
    more: bool


def sidebar_of(request: HttpRequest) -> Sidebar:
    """Return the list for this request; asked for twice, it is read once."""
    kept: Sidebar | None = getattr(request, "_sidebar", None)
    if kept is None:
        limit = limits.CONVERSATIONS_MAX if "all" in request.GET else SIDEBAR_ROWS
        found = queries.sidebar(own(request), limit=limit)
        match = request.resolver_match
        here = match.kwargs.get("conversation_id") if match else None
        present = who_is_here([row.other.pk for row in found if row.other])
        kept = Sidebar(
            rows=[_row(row, row.id == here, present) for row in found],
            more=len(found) == limit < limits.CONVERSATIONS_MAX,
        )
        request._sidebar = kept  # type: ignore[attr-defined]
    return kept


def _row(row: queries.SidebarRow, current: bool, present: set[int]) -> Row:
    return Row(
        id=row.id,
        kind=row.kind,
        access=row.access,
        name=row.name,
        archived=row.archived,
        unread=row.unread,
        unread_more=row.unread_more,
        level=row.level,
        mentions=row.mentions,
        face=row.other,
        url=f"/c/{row.id}/",
        current=current,
        here=row.other is not None and row.other.is_active and row.other.pk in present,
    )


# --- what scripts get to know --------------------------------------------------------------------------


def writer_of(user: User) -> str:
    """Return what a browser tells the same person by after the database was restored or set up anew.

    A new account may then have an old id, so text kept in the browser is not told apart by ids. Two
    marks, either of which is enough: the account, whatever its address is by then, and the address,
    whatever its account.
    """
    account = f"{user.pk} {user.date_joined.timestamp()}"
    return " ".join(
        hashlib.sha256(f"chatty {mark}".encode()).hexdigest()[:32] for mark in (account, user.email)
    )


def app_data(request: HttpRequest, conversation: dict[str, Any] | None) -> dict[str, Any]:
    """Return what #app-data holds.

    `conversation`: of the open one, see conversation_page.py; None elsewhere.
    """
    user = own(request)
    return {
        "user": person_to_wire(user) | {"time_zone": user.time_zone},
        "epoch": queries.epoch(),
        "writer": writer_of(user),
        "conversation": conversation,
        "urls": {
            "socket": "/ws/",
            "api": "/api/",
            "home": reverse("conversations:home"),
            "sign_in": reverse("accounts:sign_in"),
        },
        "limits": {"body": limits.BODY_MAX},
    }
