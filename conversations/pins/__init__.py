"""Pinned messages: pinning, unpinning, and the list of those of a conversation.

Who pinned a message is a column of it, so that a pin is a new version of the message like an edit or a
reaction, and reading messages costs nothing more.
"""
