"""Fixtures for tests of accounts: Alice's browser, her API client, and local rate limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import tokens
from accounts.signals import sign_ins_ended


@pytest.fixture(autouse=True)
def _limits_of_this_process(settings):
    """Count in this process only: tests running in parallel may share a Redis."""
    settings.REDIS_URL = ""


@pytest.fixture
def browser(alice) -> Client:
    """A browser in which Alice is signed in."""
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
    """Every `sign_ins_ended` signal, as its receivers get it."""
    heard: list[dict[str, Any]] = []

    def listen(sender: Any, signal: Any, **said: Any) -> None:
        heard.append(said)

    sign_ins_ended.connect(listen)
    yield heard
    sign_ins_ended.disconnect(listen)
