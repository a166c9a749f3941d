"""Conversations and messages in the administration. Every deed goes through actions, as at any door.

What is said in closed and direct conversations is not shown to staff, nor found by searching for it,
until they have given a reason; that is recorded for ever. No lookup from the address is believed
(Django's own would let `?body__startswith=` be asked letter by letter): the search form is the one
way to narrow the list of messages.
"""

from conversations.admin.conversations import ConversationAdmin
from conversations.admin.messages import MessageAdmin
from conversations.admin.reveals import RevealAdmin

__all__ = ["ConversationAdmin", "MessageAdmin", "RevealAdmin"]
