"""People at the `server` of each module, and their sockets."""

from __future__ import annotations

import pytest

from tests.sockets import Talker, switchboard


@pytest.fixture
def cast(server):
    return [Talker(server, name).sign_in() for name in ("Alice", "Bob", "Carol")]


@pytest.fixture
def call():
    with switchboard() as opened:
        yield opened
