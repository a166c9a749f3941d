"""Users of each module's `server`, and their sockets."""

from __future__ import annotations

import pytest

from tests.sockets import Member, open_sockets


@pytest.fixture
def people(server):
    return [Member(server, name).sign_in() for name in ("Alice", "Bob", "Carol")]


@pytest.fixture
def call():
    with open_sockets() as opened:
        yield opened
