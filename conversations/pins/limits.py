"""Limits of pinned messages."""

PINS_MAX = 50  # of a conversation
