"""The users in tests, always the same.

Each has the email NAME@example.org and the password PASSWORD. In conversations Alice is the owner, Ann an
admin, Bob and Mia are members. Carol is not a member, Rita was removed, and Clive was a member until his
account was deactivated. Root is a superuser. Test installations (tests/installations.py) have only those in
SERVED.
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
    """Create one of the cast. A name can be used only once."""
    return get_user_model().objects.create_user(email_of(name), PASSWORD, name=name, **fields)


def create_root() -> User:
    return get_user_model().objects.create_superuser(email_of("Root"), PASSWORD, name="Root")


def create_extra(name: str, **fields: Any) -> User:
    """Create a user outside the cast, without a password. Several can have the same name."""
    email = f"{name.lower()}-{next(_numbers)}@example.org"
    return get_user_model().objects.create_user(email, name=name, **fields)
