"""Uploads and files as JSON."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from django.urls import reverse

from conversations.attachments import limits
from conversations.attachments.models import File
from conversations.wire import FileOut, timestamp


class UploadOut(msgspec.Struct, frozen=True):
    """An upload, and how far it is."""

    id: str
    name: Annotated[str, msgspec.Meta(description="As it will be shown and saved.")]
    size: int
    offset: Annotated[int, msgspec.Meta(description="Bytes that have arrived.")]
    expires_at: Annotated[
        str,
        msgspec.Meta(
            description="When it is removed, unless a message with it is sent before.",
            extra_json_schema={"format": "date-time"},
        ),
    ]


def upload_to_wire(file: File, offset: int) -> UploadOut:
    return UploadOut(file.pk, file.name, file.size, offset, timestamp(file.expires_at) or "")


def file_to_wire(file: File, alt: str) -> FileOut:
    return FileOut(
        id=file.pk,
        name=file.name,
        size=file.stored_size or 0,
        kind=file.kind,
        type=file.type,
        alt=alt,
        width=file.width,
        height=file.height,
        duration=file.duration,
        url=reverse("attachments:file", args=[file.pk, file.name]),
        thumbnail=reverse("attachments:thumbnail", args=[file.pk, "small"])
        if needs_thumbnails(file)
        else None,
        animated=file.animated,
    )


def needs_thumbnails(file: File) -> bool:
    """Whether a picture is too large to be shown as it is, or moves."""
    if file.kind != File.Kind.IMAGE:
        return False
    side = max(file.width or 0, file.height or 0)
    small = side <= limits.THUMBNAILS["small"] and (file.stored_size or 0) <= limits.SMALL_PICTURE
    return file.animated or not small


def stored_value(file: File, alt: str) -> dict[str, Any]:
    """Return what the column `files` of a message has for a file."""
    value: dict[str, Any] = msgspec.to_builtins(file_to_wire(file, alt))
    return value
