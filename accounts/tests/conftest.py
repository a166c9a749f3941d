"""What tests of accounts use: Alice's browser and programs, and limits of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import tokens
from accounts.signals import sign_ins_ended


@pytest.fixture(autouse=True)
def _limits_of_this_process(settings):
    """Tests beside this one may share a Redis: count here alone."""
    settings.REDIS_URL = ""


@pytest.fixture
def browser(alice) -> Client:
    """Alice's browser, signed in."""
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def api() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def pair(alice) -> tokens.Pair:
    return tokens.begin(alice, client="a program")


@pytest.fixture
def ended() -> Iterator[list[dict[str, Any]]]:
    """Every announcement of ended sign-ins, as it is heard by the sockets' side."""
    heard: list[dict[str, Any]] = []

    def listen(sender: Any, signal: Any, **said: Any) -> None:
        heard.append(said)

    sign_ins_ended.connect(listen)
    yield heard
    sign_ins_ended.disconnect(listen)
