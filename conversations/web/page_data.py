"""The data that a page carries for its scripts, in #app-data."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from accounts.quiet_hours import QuietHours
from accounts.wire import PersonOut
from conversations.wire import ConversationOut, HistoryOut


class Me(PersonOut, frozen=True):
    """The reader."""

    time_zone: str
    hour_cycle: Annotated[str, msgspec.Meta(description="Of times: `h12` or `h23`.")]
    quiet_hours: Annotated[
        QuietHours | UnsetType, msgspec.Meta(description="Without notifications, if there are any.")
    ] = UNSET


class Participant(msgspec.Struct, frozen=True):
    """Another member of the open conversation, for presence and read receipts."""

    id: int
    name: str
    hue: int
    seq: Annotated[int, msgspec.Meta(description="Their read mark.")]
    since: Annotated[
        int, msgspec.Meta(description="Earlier messages don't count as seen by this person.")
    ]
    online: bool


class OpenConversation(msgspec.Struct, frozen=True):
    """The conversation that the page shows."""

    id: int
    kind: str
    last_seq: int
    last_read_seq: int
    archived: bool
    permissions: Annotated[
        dict[str, dict[str, str]],
        msgspec.Meta(description="Role -> word -> setting, see access.words_by_role()."),
    ]
    in_archive: Annotated[
        list[str], msgspec.Meta(description="The words that remain while it is archived.")
    ]
    members: Annotated[
        list[Participant] | None,
        msgspec.Meta(description="The others. Null if there are too many for presence."),
    ]
    history: Annotated[
        HistoryOut, msgspec.Meta(description="The messages of the page, as REST returns them.")
    ]


class Urls(msgspec.Struct, frozen=True):
    socket: str
    api: str
    home: str
    sign_in: str


class PageLimits(msgspec.Struct, frozen=True):
    body: Annotated[int, msgspec.Meta(description="Code points of a message.")]


class PageData(msgspec.Struct, frozen=True):
    user: Me
    epoch: str
    build: Annotated[str, msgspec.Meta(description="Of the scripts, styles and templates.")]
    writer: Annotated[str, msgspec.Meta(description="See writer_of() in layout.py.")]
    conversation: Annotated[
        OpenConversation | None, msgspec.Meta(description="Null on pages without one.")
    ]
    conversations: Annotated[
        list[ConversationOut], msgspec.Meta(description="Those in the sidebar, in its order.")
    ]
    urls: Urls
    limits: PageLimits
    offline_reading: Annotated[
        bool, msgspec.Meta(description="Messages may be kept for reading offline.")
    ]


def encode_for_html(data: PageData) -> str:
    """Return the data as JSON that can't end the <script> it is in. Scripts read it with JSON.parse().

    Without "<" there is neither an end tag nor a comment. Messages have many tags, so nothing else is
    escaped.
    """
    return msgspec.json.encode(data).replace(b"<", b"\\u003c").decode()
