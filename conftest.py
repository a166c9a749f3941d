"""Shared by all tests: skips by marker, fixtures for people, and cleared caches."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client, TransactionTestCase
from django.utils import translation

from chatty.common.limiter import limiter
from tests import cast, databases
from tests.proxies import PROXIES, path_of

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

    from accounts.models import User

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("chatty", deadline=None)
hypothesis.settings.load_profile("chatty")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_sqlite = "sqlite" in settings.DATABASES["default"]["ENGINE"]
    absent = {
        "sqlite": None if on_sqlite else "needs SQLite as the database",
        "postgres": "needs PostgreSQL (make test-postgres)" if on_sqlite else None,
        "redis": None if settings.REDIS_URL else "needs Redis (make test-postgres)",
    }
    for item in items:
        for marker, reason in absent.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
        if not _uses_services(item):
            item.add_marker(pytest.mark.once)
        if _is_about_entrances(item):
            item.add_marker(pytest.mark.entrances)
            if not on_sqlite:
                item.add_marker(pytest.mark.long)


def _uses_services(item: pytest.Item) -> bool:
    """Whether the test uses the database or Redis."""
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    markers = ("django_db", "postgres", "redis")
    return bool(fixtures) or any(item.get_closest_marker(marker) for marker in markers)


def _is_about_entrances(item: pytest.Item) -> bool:
    """Whether the test is about pages, the API or the administration."""
    names = ("test_web", "test_api", "test_admin")
    return item.path.stem.startswith(names) or bool(item.get_closest_marker("entrances"))


def pytest_collection_finish(session: pytest.Session) -> None:
    _require_groups(session)
    # Imported modules and collected tests stay in memory. Scanning them repeatedly takes a tenth of
    # the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _require_groups(session: pytest.Session) -> None:
    """Fail if xdist ignores xdist_group: every worker would start the servers of each group."""
    if getattr(session.config.option, "loadgroup", False):
        for item in session.items:
            marker = item.get_closest_marker("xdist_group")
            if marker and not item.nodeid.endswith(f"@{marker.args[0]}"):
                raise pytest.UsageError(
                    "This pytest-xdist does not group the tests of this pytest."
                )


def pytest_report_header() -> str | None:
    """Warn about proxies that are not installed, so their rolling restart is not tested."""
    absent = [program for program in PROXIES if path_of(program) is None]
    if not absent:
        return None
    names = " ".join(absent)
    return f"WARNING: no rolling restart behind {names} is tried here: apt-get install {names}"


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_modify_db_settings: None,
) -> None:
    """pytest-django would migrate a database for each worker.

    It is removed with the directory of tests/settings.py or the server of tests/services.py.
    """
    with django_db_blocker.unblock():
        databases.create_copied()
    # Tests with real commits empty the database when they end.
    TransactionTestCase._fixture_teardown = lambda self: databases.empty()


@pytest.fixture(autouse=True)
def _start_clean(request: pytest.FixtureRequest) -> None:
    """Limits, settings and the language of a page would otherwise affect the next test."""
    if any("num_queries" in name for name in request.fixturenames):
        # What is read once a second could be read again while queries are counted.
        request.getfixturevalue("monkeypatch").setattr("chatty.common.kept.KEEP_SECONDS", 3600)
    cache.clear()
    limiter.clear()
    # Models can't be imported before Django is set up.
    import_module("accounts.installation").forget()
    import_module("conversations.custom_emoji.queries").forget()
    import_module("conversations.queries").forget_welcome()
    import_module("conversations.queries").forget_seen_last()
    translation.deactivate()


def _person(name: str) -> Any:
    @pytest.fixture(name=name.lower())
    def create(db: None) -> User:
        return cast.create_user(name)

    return create


alice, ann, bob, mia, carol, rita, clive = map(
    _person, ("Alice", "Ann", "Bob", "Mia", "Carol", "Rita", "Clive")
)


@pytest.fixture
def root(db: None) -> User:
    return cast.create_root()


@pytest.fixture
def admin(root: User) -> Client:
    """The browser of an administrator who is signed in."""
    client = Client()
    client.force_login(root)
    return client
