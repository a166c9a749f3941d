"""Files of messages. The column `files` of a message has these values, so reading a message costs no more."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chatty.common.structs import Choices, one_of

KINDS = ("image", "audio", "video", "text", "file")
_KINDS = Choices("FileKind", {kind: kind for kind in KINDS})


class LastFileOut(msgspec.Struct, frozen=True):
    """A file of the last message of a conversation."""

    kind: Annotated[str, one_of(_KINDS)]
    type: str
    duration: float | None


class FileOut(msgspec.Struct, frozen=True):
    """A file of a message."""

    id: str
    name: str
    size: Annotated[int, msgspec.Meta(description="In bytes.")]
    kind: Annotated[
        str,
        one_of(_KINDS, "How it can be shown. `file`: it can only be downloaded."),
    ]
    type: Annotated[str, msgspec.Meta(description="The media type, found from its bytes.")]
    alt: Annotated[str, msgspec.Meta(description="What a picture shows, as its author wrote it.")]
    width: Annotated[int | None, msgspec.Meta(description="Of pictures and videos, in pixels.")]
    height: int | None
    duration: Annotated[
        float | None,
        msgspec.Meta(description="Of audio and videos, in seconds, where it is known."),
    ]
    url: Annotated[str, msgspec.Meta(description="For members of the conversation only.")]
    thumbnail: Annotated[
        str | None,
        msgspec.Meta(
            description="A smaller version of a picture, with the same proportions: at most 840 pixels "
            "wide and high. With `large.webp` instead of `small.webp`, at most 1,920. Null if the picture "
            "itself is small."
        ),
    ]
    animated: bool
