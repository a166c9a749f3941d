"""Cursors: opaque strings that say where a page ended."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from urllib.parse import urlencode

import msgspec
from django.utils.translation import gettext as _
from rest_framework.request import Request

from chatty.common import json
from chatty.common.errors import ChatError
from chatty.common.numbers import NUMBER_MAX

Place = TypeVar("Place")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_Id = Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]
# Microseconds since 1970, up to the year 9000: converting a later one to a time zone could overflow
# datetime.
_Moment = Annotated[int, msgspec.Meta(ge=0, le=221_845_392_000_000_000)]


def moment_cursor(at: datetime, pk: int) -> str:
    return _write([(at - _EPOCH) // _MICROSECOND, pk])


def read_moment_cursor(cursor: str) -> tuple[datetime, int]:
    """Raises ChatError("invalid") for anything moment_cursor did not write."""
    microseconds, pk = _read(cursor, tuple[_Moment, _Id])
    return _EPOCH + microseconds * _MICROSECOND, pk


def name_cursor(name: str, pk: int) -> str:
    return _write([name, pk])


def read_name_cursor(cursor: str) -> tuple[str, int]:
    """Raises ChatError("invalid") for anything name_cursor did not write."""
    return _read(cursor, tuple[str, _Id])


def id_cursor(pk: int) -> str:
    return _write([pk])


def read_id_cursor(cursor: str) -> int:
    """Raises ChatError("invalid") for anything id_cursor did not write."""
    (pk,) = _read(cursor, tuple[_Id])
    return pk


def next_page(request: Request, cursor: str | None) -> str | None:
    """Return the absolute URL of the page after the cursor, or None without a cursor."""
    if cursor is None:
        return None
    query = {**request.query_params.dict(), "cursor": cursor}
    address: str = request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
    return address


def _write(place: list[object]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read(cursor: str, shape: type[Place]) -> Place:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = msgspec.json.decode(raw, type=shape)
        json.check(list(place))  # type: ignore[call-overload]
    except (binascii.Error, UnicodeError, ValueError, msgspec.MsgspecError, ChatError):
        detail = _("Invalid cursor.")
        raise ChatError("invalid", detail, fields={"cursor": [detail]}) from None
    return place
