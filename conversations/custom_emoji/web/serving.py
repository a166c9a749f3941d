"""Serves the pictures of custom emoji to everyone who is signed in.

An address has always the same picture, so browsers keep it.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from accounts.models import User
from chatty.common.errors import ChatError
from conversations.custom_emoji import pictures, queries
from conversations.emoji import is_address
from conversations.web.signed_in import reader_view

_HEADERS = {
    # "private": proxies must not keep it, because only people who are signed in can see it.
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@reader_view
def picture(request: HttpRequest, user: User, address: str) -> HttpResponse:
    return _respond(address, still=False)


@reader_view
def still(request: HttpRequest, user: User, address: str) -> HttpResponse:
    """Serve the first frame of an animation, for people who prefer reduced motion."""
    return _respond(address, still=True)


def _respond(address: str, *, still: bool) -> HttpResponse:
    if not is_address(address):
        raise ChatError("not_found")
    image = queries.image(address, still=still)
    return HttpResponse(image, content_type=pictures.MEDIA_TYPE, headers=_HEADERS)
