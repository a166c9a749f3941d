"""Conversations of the cast."""

from conversations.tests.conftest import api_of, hello, pair, published

__all__ = ["api_of", "hello", "pair", "published"]
