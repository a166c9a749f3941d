"""Limits and formats of messages and conversations, the same for sockets, REST and forms."""

from __future__ import annotations

import re

from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError

BODY_MAX = 4_000  # code points of a message
EXCERPT_MAX = 140  # code points of a quoted message
NAME_MAX = 80  # code points of a conversation's name
TOPIC_MAX = 250
HTML_MAX = 64 * 1024  # bytes of a rendered message; larger ones are shown as plain text
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
PURGE_BATCH = 200  # messages of a deleted conversation removed in one transaction

KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")

# One emoji as displayed: a pictograph with an optional skin tone or variation selector, possibly joined
# to others by zero-width joiners; or a keycap; or a flag. Not plain text, single digits or spaces.
_PICTOGRAPH = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f004\U0001f0cf\U0001f170-\U0001f1e5"
    "\U0001f200-\U0001f251\U0001f300-\U0001faff]"
)
_ELEMENT = f"{_PICTOGRAPH}[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
_EMOJI = re.compile(
    f"(?:{_ELEMENT}(?:\u200d{_ELEMENT}){{0,8}}|[0-9#*]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{{2}})"
)
EMOJI_MAX = 32  # code points; enough for the longest family with skin tones


def valid_key(key: object) -> str:
    """Return the key of a message. Raises ChatError("invalid") if its format is wrong."""
    if isinstance(key, str) and KEY.fullmatch(key):
        return key
    detail = _("A key must be 1 to 64 letters, digits, hyphens or underscores.")
    raise ChatError("invalid", detail, fields={"key": [detail]})


def valid_emoji(emoji: object) -> str:
    """Return the emoji. Raises ChatError("invalid") unless it is exactly one."""
    if isinstance(emoji, str) and len(emoji) <= EMOJI_MAX and _EMOJI.fullmatch(emoji):
        return emoji
    detail = _("A reaction must be exactly one emoji.")
    raise ChatError("invalid", detail, fields={"emoji": [detail]})
