"""Serves files and thumbnails to current members. Nothing is served from anywhere else.

Whether someone can see a file is found out for each request, so from the moment someone has left, the answer
is 404. Browsers keep a file but ask each time; thumbnails, of which a page can have fifty, only once an hour.
"""

from __future__ import annotations

import logging
from math import ceil
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.file_responses import FileResponse
from chatty.common.limiter import limiter
from conversations.attachments import limits, queries, storage
from conversations.attachments.models import File
from conversations.attachments.web.ranges import Range, UnsatisfiableError, requested_range
from conversations.web.signed_in import reader_view

logger = logging.getLogger(__name__)

# Browsers show these without running anything in them. Everything else is saved.
_SHOWN = {
    *("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "text/plain"),
    *("audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/webm", "audio/wav", "audio/flac"),
    *("video/mp4", "video/webm", "video/ogg", "video/quicktime"),
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # If it is opened by itself: no scripts, no requests, an origin of its own.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; "
    "style-src 'unsafe-inline'; sandbox",
    "Accept-Ranges": "bytes",
}
_FILE_CACHED = "private, no-cache"
_THUMBNAIL_CACHED = "private, max-age=3600"


def file(request: HttpRequest, file_id: str, name: str) -> HttpResponse:
    """Serve a file of a message. `name` is for people who save it: the row has the real one."""
    return _serve(request, file_id, size="")


def thumbnail(request: HttpRequest, file_id: str, size: str) -> HttpResponse:
    """Serve a smaller version of a picture, or the picture itself until there is one."""
    if size not in limits.THUMBNAILS:
        raise ChatError("not_found")
    return _serve(request, file_id, size=size)


def _serve(request: HttpRequest, file_id: str, size: str) -> HttpResponse:
    try:
        return _serve_to_reader(request, file_id, size)
    except ChatError as error:
        if "text/html" in request.headers.get("Accept", ""):
            raise  # someone has opened the address: show the page
        headers = {} if error.retry_after is None else {"Retry-After": str(ceil(error.retry_after))}
        return HttpResponse(
            error.detail, content_type="text/plain", status=error.status, headers=headers
        )


@reader_view
def _serve_to_reader(request: HttpRequest, user: User, file_id: str, size: str) -> HttpResponse:
    limiter.check_local("downloads", str(user.pk))
    found = queries.find_file(user, file_id)
    try:
        return _version(request, found, size)
    except FileNotFoundError:
        logger.error("The bytes of a file are missing in the storage: %s", found.pk)
        raise ChatError("not_found", _("The content of this file has been lost.")) from None


def _version(request: HttpRequest, found: File, size: str) -> HttpResponse:
    if not size:
        return _respond(request, found, found.stored_name, found.type, _FILE_CACHED)
    if found.kind != File.Kind.IMAGE:
        raise ChatError("not_found")
    if found.has_thumbnails:
        name = found.thumbnail_name(size)
        return _respond(request, found, name, "image/webp", _THUMBNAIL_CACHED)
    return _respond(request, found, found.stored_name, found.type, _FILE_CACHED)


def _respond(
    request: HttpRequest, found: File, stored: str, media_type: str, cached: str
) -> HttpResponse:
    tag = f'"{stored.rpartition("/")[2]}"'  # what is stored never changes
    headers = {**_HEADERS, "ETag": tag, "Cache-Control": cached, **_type_of(found, media_type)}
    unchanged: Any = get_conditional_response(request, etag=tag)
    if unchanged is not None:
        unchanged.headers["Cache-Control"] = cached
        return unchanged  # type: ignore[no-any-return]
    if settings.FILES_ACCEL and storage.is_local():
        path = f"{settings.FILES_ACCEL.rstrip('/')}/{quote(stored)}"
        return HttpResponse(headers={**headers, "X-Accel-Redirect": path})
    size = found.stored_size or 0
    if stored != found.stored_name:
        size = storage.size_of(stored)
    return _file_response(request, stored, size, tag, headers)


def _type_of(found: File, media_type: str) -> dict[str, str]:
    shown = media_type in _SHOWN
    charset = "; charset=utf-8" if media_type == "text/plain" else ""
    disposition = content_disposition_header(not shown, found.name) or "inline"
    return {
        "Content-Type": f"{media_type}{charset}" if shown else "application/octet-stream",
        "Content-Disposition": disposition,
    }


def _file_response(
    request: HttpRequest, stored: str, size: int, tag: str, headers: dict[str, str]
) -> HttpResponse:
    try:
        part = requested_range(request, size, tag)
    except UnsatisfiableError:
        error = {**_HEADERS, "Content-Range": f"bytes */{size}", "Cache-Control": "no-store"}
        return HttpResponse(status=416, headers=error)
    start, length = part or Range(0, size)
    opened = storage.open_range(stored, start, length)
    response = FileResponse(opened, length, status=206 if part else 200, headers=headers)
    if part:
        response.headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    return response
