"""Database reads for sockets. They run in threads."""

from __future__ import annotations

from accounts.models import User
from chatty.common.errors import ChatError
from conversations import access, queries
from conversations.realtime.catch_up import CatchUp, catch_up
from conversations.wire import ConversationOut


def read_rooms(user: User) -> tuple[list[ConversationOut], dict[int, int]]:
    """Return the latest conversations for `hello`, and id -> version of all the user's conversations."""
    return queries.sidebar_and_versions(user)


def read_changes(user: User, conversation_id: int, version: int) -> CatchUp:
    with access.reading(user, conversation_id):
        page = catch_up(conversation_id, version)
    if page is None:
        raise ChatError("not_found")
    return page
