"""The people in tests, the same in all of them.

Each has the address NAME@example.org and PASSWORD. In conversations Alice is the owner, Ann an admin, Bob
and Mia are members; Carol is outside, Rita was removed, Clive was a member until his account was closed.
Root administers everything. Test installations (tests/installations.py) have only those in SERVED.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

if TYPE_CHECKING:
    from accounts.models import User

PASSWORD = "correct horse battery staple"
SERVED = ("Alice", "Bob", "Carol")
_numbers = itertools.count(1)


def email_of(name: str) -> str:
    return f"{name.lower()}@example.org"


def create_user(name: str, **fields: Any) -> User:
    """One of the cast. There can be only one of this name."""
    return get_user_model().objects.create_user(email_of(name), PASSWORD, name=name, **fields)


def create_root() -> User:
    return get_user_model().objects.create_superuser(email_of("Root"), PASSWORD, name="Root")


def create_extra(name: str, **fields: Any) -> User:
    """Somebody beside the cast, without a password. Several may have one name."""
    email = f"{name.lower()}-{next(_numbers)}@example.org"
    return get_user_model().objects.create_user(email, name=name, **fields)
