"""Conversations and messages in the admin site. All changes go through actions, as everywhere else.

Administrators can neither see nor search the text of private conversations and direct messages until they
have given a reason, which is recorded permanently. Lookups in the query string are ignored: with Django's
own, `?body__startswith=` would reveal hidden text letter by letter. Messages can only be filtered with
the search form.
"""

from conversations.admin.conversations import ConversationAdmin
from conversations.admin.messages import MessageAdmin
from conversations.admin.readers import CursorAdmin, ReaderStateAdmin, SetAsideChangeAdmin
from conversations.admin.reveals import RevealAdmin

__all__ = [
    "ConversationAdmin",
    "CursorAdmin",
    "MessageAdmin",
    "ReaderStateAdmin",
    "RevealAdmin",
    "SetAsideChangeAdmin",
]
