"""Every deed in a conversation: one transaction that locks, allows and saves; then it is told.

All doors (socket, form, REST, admin, commands) come through here, so a rule is written once. What is
to be told is put together inside the transaction, from the rows as this version has them, and told
only after the commit. Inputs are checked before the first lock: nothing slow happens under one.

Raises ChatError for every refusal, and nothing else that an entrance would have to know of.

A file holds what belongs together; everybody else imports from here.
"""

from conversations.actions.conversations import create_conversation, open_direct
from conversations.actions.deletion import delete_conversation, purge_batch, purge_deleted
from conversations.actions.members import (
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
    react,
    unreact,
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
from conversations.actions.read_marks import mark_read, mark_unread, set_level
from conversations.actions.sending import Draft, Sent, render_draft, send_message, send_messages
from conversations.actions.settings import archive, unarchive, update_conversation

__all__ = [
    "Draft",
    "EditConflictError",
    "Sent",
    "add_members",
    "allow_to_join",
    "archive",
    "change_role",
    "create_conversation",
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
    "purge_batch",
    "purge_deleted",
    "react",
    "remove_member",
    "render_draft",
    "renew_epoch",
    "reveal",
    "send_message",
    "send_messages",
    "set_level",
    "unarchive",
    "unreact",
    "update_conversation",
]
