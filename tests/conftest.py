"""Installations and servers for tests that need real processes. See tests/installations.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.installations import Builder, ChatServer, Installation, Person


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    with contextlib.closing(Builder(tmp_path_factory.mktemp("servers"))) as builder:
        yield builder


@pytest.fixture
def installation(builder: Builder) -> Iterator[Installation]:
    """A new installation on SQLite with Alice, Bob and Carol; start it with installation.serve()."""
    with contextlib.closing(builder.sqlite()) as installation:
        yield installation


@pytest.fixture
def production_installation(builder: Builder) -> Iterator[Installation]:
    """A new installation on PostgreSQL and Redis; several servers can serve it."""
    with contextlib.closing(builder.production()) as installation:
        yield installation


@pytest.fixture
def own_installation(builder: Builder) -> Iterator[Installation]:
    """The same with its own PostgreSQL, which the test can crash."""
    with (
        builder.new_postgres() as postgres,
        contextlib.closing(builder.production(postgres)) as installation,
    ):
        yield installation


@pytest.fixture(params=["sqlite", "postgres"])
def any_installation(request: pytest.FixtureRequest) -> Installation:
    """Runs the test with both kinds of installation."""
    name = "installation" if request.param == "sqlite" else "production_installation"
    installation: Installation = request.getfixturevalue(name)
    return installation


@pytest.fixture
def server(installation: Installation) -> ChatServer:
    return installation.serve()


@pytest.fixture
def person() -> Callable[[ChatServer, str], Person]:
    """person(server, "Alice"): signed in with a token, for the API and sockets."""
    return lambda server, name: Person(server, name).sign_in()
