"""Serves the pictures of custom emoji to everyone who is signed in.

An address has always the same picture, so browsers keep it.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from accounts import tokens
from chatty.common.errors import ChatError
from conversations.custom_emoji import pictures, queries
from conversations.emoji import is_address
from conversations.web.signed_in import member_view

_HEADERS = {
    # "private": proxies must not keep it, because only people who are signed in can see it.
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def picture(request: HttpRequest, address: str) -> HttpResponse:
    return _serve(request, address, still=False)


def still(request: HttpRequest, address: str) -> HttpResponse:
    """Serve the first frame of an animation, for people who prefer reduced motion."""
    return _serve(request, address, still=True)


def _serve(request: HttpRequest, address: str, *, still: bool) -> HttpResponse:
    token = tokens.bearer_of(request.headers.get("Authorization"))
    if token is not None and request.method in ("GET", "HEAD"):
        tokens.identify(token)
        return _answer(address, still=still)
    return _serve_signed_in(request, address=address, still=still)


@member_view("GET")
def _serve_signed_in(request: HttpRequest, *, address: str, still: bool) -> HttpResponse:
    return _answer(address, still=still)


def _answer(address: str, *, still: bool) -> HttpResponse:
    if not is_address(address):
        raise ChatError("not_found")
    image = queries.image(address, still=still)
    return HttpResponse(image, content_type=pictures.MEDIA_TYPE, headers=_HEADERS)
