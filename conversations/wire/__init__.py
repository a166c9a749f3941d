"""Messages and conversations as everyone outside gets them: sockets, REST and pages.

The structs are the format. msgspec encodes them; the schema of the API (chatty/api/schema.py) and the types
of the scripts (docs/script_types.py) are generated from them.
"""

from conversations.wire.conversations import (
    ConversationOut,
    ConversationsOut,
    MemberOut,
    MembersOut,
    PublicConversationOut,
    PublicConversationsOut,
    RemovalOut,
    RemovalsOut,
    conversation_tag,
)
from conversations.wire.files import KINDS, FileOut, LastFileOut
from conversations.wire.messages import (
    AuthorOut,
    ChangesOut,
    HistoryOut,
    LastMessageOut,
    MessageOut,
    NoticeOut,
    QuoteOut,
    ReactionOut,
    changes_to_wire,
    excerpt,
    history_to_wire,
    message_tag,
    message_to_wire,
    notice_text,
    reaction_groups,
    timestamp,
)

__all__ = [
    "KINDS",
    "AuthorOut",
    "ChangesOut",
    "ConversationOut",
    "ConversationsOut",
    "FileOut",
    "HistoryOut",
    "LastFileOut",
    "LastMessageOut",
    "MemberOut",
    "MembersOut",
    "MessageOut",
    "NoticeOut",
    "PublicConversationOut",
    "PublicConversationsOut",
    "QuoteOut",
    "ReactionOut",
    "RemovalOut",
    "RemovalsOut",
    "changes_to_wire",
    "conversation_tag",
    "excerpt",
    "history_to_wire",
    "message_tag",
    "message_to_wire",
    "notice_text",
    "reaction_groups",
    "timestamp",
]
