"""Limits and formats of messages and conversations, the same for sockets, REST and forms."""

from __future__ import annotations

import re

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError

BODY_MAX = settings.MESSAGE_MAX  # code points of a message
FILES_MAX = settings.MESSAGE_FILES_MAX  # in one message
ALT_MAX = settings.FILE_ALT_MAX  # code points of the description of a picture
EXCERPT_MAX = 140  # code points of a quoted message
NAME_MAX = 80  # code points of a conversation's name
TOPIC_MAX = 250
# Bytes of a rendered message; larger ones are shown as plain text, which needs at most 5 for each code point.
HTML_MAX = max(64 * 1024, 8 * BODY_MAX)
PAGE_SIZE = 50  # messages on a page of history
PAGE_MAX = 100
MEMBERS_MAX = 5_000  # of one conversation
# Per user, because a socket follows all of their conversations. Groups that others add a person to, and
# direct messages that others start, are counted separately until the person opens them.
CONVERSATIONS_MAX = 1_000
UNOPENED_GROUPS_MAX = 200
UNOPENED_DIRECTS_MAX = 200
LEAVE_MAX = 200  # conversations left at once
ADD_MAX = 100  # people added at once
REACTIONS_MAX = 30  # different emoji on one message
REACTION_USERS_SHOWN = 20
REACTION_NAMES_SHOWN = 6
MENTIONS_MAX = 50  # people mentioned in one message
MENTION_REACH = 60  # code points of a person's name
UNREAD_WINDOW = 200  # unread messages are counted within this many entries; a "+" marks more
SYNC_PAGE = 100  # changed messages in one `synced` frame
SYNC_BYTES = 256 * 1024
SYNC_REACH = 1_000  # a client that is more versions behind loads the latest page instead
REASON_MAX = 500  # code points of an administrator's reason for viewing a private conversation
REVEAL_TITLE_MAX = 200  # enough for the two names of a direct message
REVEAL_SECONDS = 3_600  # how long an administrator can then view it
BULK = 500  # rows changed in one transaction
SLOW_MODE_MAX = 3_600  # seconds between two messages of a member
PURGE_BATCH = 200  # messages of a deleted conversation removed in one transaction

KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")

EMOJI_MAX = 32  # code points; enough for the longest family with skin tones
REACTION_MAX = 64  # of a stored reaction: that of a custom emoji has a name and an address


def messages_at_a_time(most: int) -> int:
    """Return how many texts of messages to hold in memory at a time: `most`, or fewer if messages may be
    longer than 10,000 characters."""
    return min(most, most * 10_000 // BODY_MAX)


def file_max() -> int:
    """Return the largest size of a file, in bytes."""
    return int(settings.FILE_MAX_MB) * 1024 * 1024


def valid_key(key: object) -> str:
    """Return the idempotency key. Raises ChatError("invalid") if its format is wrong."""
    if isinstance(key, str) and KEY.fullmatch(key):
        return key
    detail = _("A key must be 1 to 64 letters, digits, hyphens or underscores.")
    raise ChatError("invalid", detail, fields={"key": [detail]})
