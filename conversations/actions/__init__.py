"""Everything that changes conversations: each action locks, checks permission and saves in one
transaction, then publishes.

Sockets, forms, REST, the admin site and commands all use these, so each rule exists once. Events are
built inside the transaction, from the rows of exactly that version, but published after the commit. Inputs
are validated before the first lock, because nothing slow may happen while other writers wait for it.

Every rejection is a ChatError; callers need not handle anything else.

Import actions from this package, not from its modules.
"""

from conversations.actions.conversations import (
    create_conversation,
    create_conversation_once,
    open_direct,
    open_with,
)
from conversations.actions.deletion import delete_conversation
from conversations.actions.members import (
    add_invited,
    add_members,
    allow_to_join,
    change_role,
    join,
    leave,
    remove_member,
)
from conversations.actions.messages import (
    EditConflictError,
    delete_message,
    edit_message,
)
from conversations.actions.moderation import (
    moderate_add_member,
    moderate_archive,
    moderate_change_role,
    moderate_delete_message,
    moderate_remove_member,
    moderate_unarchive,
    renew_epoch,
    reveal,
)
from conversations.actions.ownership import successors
from conversations.actions.reactions import react, unreact
from conversations.actions.read_marks import mark_read, mark_unread, set_favourite, set_level
from conversations.actions.sending import (
    Draft,
    Sent,
    render_draft,
    send_content,
    send_message,
    send_messages,
)
from conversations.actions.settings import archive, unarchive, update_conversation
from conversations.actions.slow_mode import seconds_to_wait
from conversations.actions.welcoming import set_welcome

__all__ = [
    "Draft",
    "EditConflictError",
    "Sent",
    "add_invited",
    "add_members",
    "allow_to_join",
    "archive",
    "change_role",
    "create_conversation",
    "create_conversation_once",
    "delete_conversation",
    "delete_message",
    "edit_message",
    "join",
    "leave",
    "mark_read",
    "mark_unread",
    "moderate_add_member",
    "moderate_archive",
    "moderate_change_role",
    "moderate_delete_message",
    "moderate_remove_member",
    "moderate_unarchive",
    "open_direct",
    "open_with",
    "react",
    "remove_member",
    "render_draft",
    "renew_epoch",
    "reveal",
    "seconds_to_wait",
    "send_content",
    "send_message",
    "send_messages",
    "set_favourite",
    "set_level",
    "set_welcome",
    "successors",
    "unarchive",
    "unreact",
    "update_conversation",
]
