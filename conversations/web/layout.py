"""The sidebar and the data for scripts, on all pages for signed-in users."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from accounts.current_user import current_user
from accounts.models import TimeFormat, User
from accounts.wire import person_to_wire
from chatty.assets.build import build_id
from conversations import limits, queries
from conversations.realtime.presence import online_users
from conversations.web.page_data import Me, OpenConversation, PageData, PageLimits, Urls
from conversations.web.sidebar import FILTERS, Sidebar, is_narrow, read_folds, sidebar_items

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

SIDEBAR_ROWS = 200
# Sent with "main" by a page that stays open and only takes the content of another one, and with "background"
# by one that only looks for something there.
PART_HEADER = "Chatty-Part"


def can_be_part(view: View[P]) -> View[P]:
    """For views whose content can be requested alone. Their pages are then without the sidebar and everything
    else that the open page has already, such as scripts and styles: templates/part.html."""

    @functools.wraps(view)
    def seen(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        request.is_part = request.headers.get(PART_HEADER) == "main"  # type: ignore[attr-defined]
        response = view(request, *args, **kwargs)
        patch_vary_headers(response, [PART_HEADER])
        return response

    return seen  # type: ignore[return-value]  # wraps() loses that `request` is positional


def get_sidebar(request: HttpRequest) -> Sidebar:
    """Return the sidebar for this request, or only the open conversation if it is for a part of a page. It is
    read once and cached on the request."""
    kept: Sidebar | None = getattr(request, "_sidebar", None)
    if kept is None:
        limit = limits.CONVERSATIONS_MAX if "all" in request.GET else SIDEBAR_ROWS
        user = current_user(request)
        match = request.resolver_match
        current = match.kwargs.get("conversation_id") if match else None
        if current is not None and getattr(request, "is_part", False):
            row = queries.sidebar_row(user, current)
            found, closed = [row] if row else [], set[int]()
        else:
            found, closed = queries.sidebar_and_closed_accounts(user, limit=limit)
        online = online_users({row.other.id for row in found if row.other} - closed) | {user.pk}
        kept = Sidebar(
            rows=sidebar_items(found, reader=user, current=current, online=online),
            more=len(found) == limit < limits.CONVERSATIONS_MAX,
            folds=read_folds(request),
            is_narrow=is_narrow(request),
        )
        request._sidebar = kept  # type: ignore[attr-defined]
    return kept


def get_filter(request: HttpRequest) -> str:
    """Return the name of what the list is reduced to, "" for nothing. Only on the page of the list, or else a
    link without scripts would not lead back."""
    name = request.GET.get("filter", "")
    return name if "list" in request.GET and name in FILTERS else ""


def writer_of(user: User) -> str:
    """Return an identifier of the person for text that is stored in the browser.

    A user id is not enough: after the database was restored or created again, it may belong to someone else.
    The identifier has two hashes, one of the account and one of the email address. If either matches, it is
    the same person.
    """
    account = f"{user.pk} {user.date_joined.timestamp()}"
    return " ".join(
        hashlib.sha256(f"chatty {mark}".encode()).hexdigest()[:32] for mark in (account, user.email)
    )


def page_data(request: HttpRequest, conversation: OpenConversation | None) -> PageData:
    """Return the content of #app-data. `conversation`: the open one, None on other pages."""
    user = current_user(request)
    return PageData(
        user=Me(
            **msgspec.structs.asdict(person_to_wire(user)),
            time_zone=user.time_zone,
            hour_cycle="h12" if user.time_format == TimeFormat.TWELVE else "h23",
            quiet_hours=user.quiet_hours or msgspec.UNSET,
        ),
        epoch=queries.epoch(),
        build=build_id(),
        writer=writer_of(user),
        conversation=conversation,
        conversations=[row.conversation for row in get_sidebar(request).rows],
        urls=Urls(
            socket="/ws/",
            api="/api/",
            home=reverse("conversations:home"),
            sign_in=reverse("accounts:sign_in"),
        ),
        limits=PageLimits(body=limits.BODY_MAX),
        offline_reading=settings.OFFLINE_READING,
    )
