"""Reading. Each function's cost is bounded and the same at a thousand and at a million messages.

A file holds what belongs together; everybody else imports from here.
"""

from conversations.queries.conversation_list import (
    SidebarRow,
    other_in,
    other_person,
    sidebar,
    sidebar_and_versions,
    sidebar_row,
    title,
)
from conversations.queries.directory import browse, open_group, people
from conversations.queries.memberships import (
    are_told,
    companions,
    leavable,
    marks_of,
    members,
    memberships_of,
    removals,
    told_members,
    uncrowded,
)
from conversations.queries.mentioned_members import MENTION_LETTERS, mentioned
from conversations.queries.messages import (
    Changes,
    History,
    changes_since,
    detailed,
    first_unread_seq,
    history,
    read,
)
from conversations.queries.staff import (
    is_revealed,
    latest_matching,
    messages_for_staff,
    title_for_staff,
    titles_for_staff,
)
from conversations.queries.versions import clocks, clocks_moved, epoch, versions_moved

__all__ = [
    "MENTION_LETTERS",
    "Changes",
    "History",
    "SidebarRow",
    "are_told",
    "browse",
    "changes_since",
    "clocks",
    "clocks_moved",
    "companions",
    "detailed",
    "epoch",
    "first_unread_seq",
    "history",
    "is_revealed",
    "latest_matching",
    "leavable",
    "marks_of",
    "members",
    "memberships_of",
    "mentioned",
    "messages_for_staff",
    "open_group",
    "other_in",
    "other_person",
    "people",
    "read",
    "removals",
    "sidebar",
    "sidebar_and_versions",
    "sidebar_row",
    "title",
    "title_for_staff",
    "titles_for_staff",
    "told_members",
    "uncrowded",
    "versions_moved",
]
