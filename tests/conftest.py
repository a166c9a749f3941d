"""Houses and servers for tests that need real processes. See tests/houses.py for what they can do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.houses import Builder, ChatServer, House, Person


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    with contextlib.closing(Builder(Path(tmp_path_factory.mktemp("houses")))) as builder:
        yield builder


@pytest.fixture
def house(builder: Builder) -> Iterator[House]:
    """A fresh installation on SQLite with the cast; serve it with house.serve()."""
    with contextlib.closing(builder.sqlite()) as house:
        yield house


@pytest.fixture
def grown_house(builder: Builder) -> Iterator[House]:
    """A fresh installation on PostgreSQL and Redis; any number of servers may serve it."""
    house = builder.grown_up()
    yield house
    house.close()
    assert house.redis is not None
    house.redis.close()


@pytest.fixture(params=["sqlite", "postgres"])
def any_house(request: pytest.FixtureRequest) -> House:
    """The same test in both kinds of house."""
    name = "house" if request.param == "sqlite" else "grown_house"
    house: House = request.getfixturevalue(name)
    return house


@pytest.fixture
def server(house: House) -> ChatServer:
    return house.serve()


@pytest.fixture
def two_servers(grown_house: House) -> tuple[ChatServer, ChatServer]:
    """Two processes on two ports, one database, one Redis."""
    return grown_house.serve(), grown_house.serve()


@pytest.fixture
def person() -> Callable[[ChatServer, str], Person]:
    """person(server, "Alice"): signed in with a token, for REST and sockets."""
    return lambda server, name: Person(server, name).sign_in()
