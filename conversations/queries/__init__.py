"""Queries. The cost of each is bounded, and does not grow with the number of messages.

Import queries from this package, not from its modules.
"""

from conversations.queries.conversation_list import (
    SPOKEN_IN,
    other_of,
    other_person,
    sidebar,
    sidebar_and_closed_accounts,
    sidebar_and_versions,
    sidebar_row,
    title,
)
from conversations.queries.directory import (
    browse,
    can_be_welcome,
    open_group,
    people,
    shared_groups,
    suggested_welcome,
    welcome,
    welcome_choices,
)
from conversations.queries.memberships import (
    members,
    members_if_small,
    memberships_of,
    memberships_to_leave,
    presence_peers,
    read_marks_of,
    removals,
    shows_presence,
    small_conversations,
)
from conversations.queries.mentioned_members import MENTION_LETTERS, find_mentions
from conversations.queries.messages import (
    Changes,
    History,
    changes_since,
    first_since,
    first_unread_seq,
    history,
    read_by_ids,
    with_details,
)
from conversations.queries.staff import (
    is_revealed,
    latest_matching,
    messages_for_staff,
    title_for_staff,
    titles_for_staff,
)
from conversations.queries.versions import changed_clocks, changed_versions, clocks, epoch

__all__ = [
    "MENTION_LETTERS",
    "SPOKEN_IN",
    "Changes",
    "History",
    "browse",
    "can_be_welcome",
    "changed_clocks",
    "changed_versions",
    "changes_since",
    "clocks",
    "epoch",
    "find_mentions",
    "first_since",
    "first_unread_seq",
    "history",
    "is_revealed",
    "latest_matching",
    "members",
    "members_if_small",
    "memberships_of",
    "memberships_to_leave",
    "messages_for_staff",
    "open_group",
    "other_of",
    "other_person",
    "people",
    "presence_peers",
    "read_by_ids",
    "read_marks_of",
    "removals",
    "shared_groups",
    "shows_presence",
    "sidebar",
    "sidebar_and_closed_accounts",
    "sidebar_and_versions",
    "sidebar_row",
    "small_conversations",
    "suggested_welcome",
    "title",
    "title_for_staff",
    "titles_for_staff",
    "welcome",
    "welcome_choices",
    "with_details",
]
