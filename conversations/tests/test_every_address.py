"""Every URL with every method: never a server error, and never HTML below /api/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

pytestmark = pytest.mark.once

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
ORDINARY = {"int": ["{pk}"], "str": ["x"], "slug": ["x"], "path": ["x"]}


def patterns(found: Any = None, before: str = "/") -> Iterator[tuple[str, dict[str, str]]]:
    """Yield every route of the URLconf with the types of its parameters."""
    for pattern in found or get_resolver().url_patterns:
        if not hasattr(pattern.pattern, "_route"):
            continue
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            kinds = {}
            for part in route.split("<")[1:]:
                kind, _, name = part.split(">")[0].rpartition(":")
                kinds[f"<{kind}:{name}>" if kind else f"<{name}>"] = kind or "str"
            yield route, kinds


def addresses(values: dict[str, list[str]]) -> list[str]:
    found = []
    for route, kinds in patterns():
        longest = max((len(values.get(kind, ["x"])) for kind in kinds.values()), default=1)
        for number in range(longest):
            path = route
            for part, kind in kinds.items():
                choice = values.get(kind, values["int"])
                path = path.replace(part, choice[number % len(choice)])
            found.append(path)
    return found


class Visitor:
    """A signed-in user. The changes of each request are rolled back."""

    def __init__(self, user: Any) -> None:
        self.client = Client(raise_request_exception=False)
        self.client.force_login(user)
        self.faults: list[str] = []

    def ask(self, method: str, path: str, body: Any = b"", kind: str = "", **more: Any) -> Any:
        with transaction.atomic():
            cookies = dict(self.client.cookies)
            path, _, query = path.partition("?")
            response = self.client.generic(
                method, path, body, kind or "application/json", QUERY_STRING=query, **more
            )
            content = b"" if response.streaming else response.content
            self.client.cookies.clear()
            self.client.cookies.update(cookies)
            transaction.set_rollback(True)
        told = f"{method} {path[:80]}?{query[:80]} {body[:60]!r}: {response.status_code}"
        if response.status_code >= 500:
            self.faults.append(told)
        # The pages of the API that are HTML.
        is_page = path in (reverse("api:docs"), reverse("api:docs") + "?script=")
        if path.startswith("/api/") and not is_page and b"<html" in content.lower():
            self.faults.append(f"{told} answers with HTML")
        return response


@pytest.fixture
def visitor(alice: Any, settings: Any) -> Visitor:
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "1000000/s")
    alice.is_staff = alice.is_superuser = True
    alice.save()
    return Visitor(alice)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        # Of those that write, and of those that no route knows, one stays.
        pytest.param(each, marks=pytest.mark.long) if each in ("PUT", "PATCH", "TRACE") else each
        for each in METHODS
    ],
)
def test_every_url_handles_every_method(method, visitor, pair, hello):
    for path in addresses({**ORDINARY, "int": [str(pair.pk)]}):
        visitor.ask(method, path, b"{}" if method in ("POST", "PUT", "PATCH") else b"")
    assert visitor.faults == []


def test_head_has_the_headers_of_get(visitor, pair, hello):
    """The length, the type, the entity tag and the methods."""
    names = ("Content-Type", "Content-Length", "ETag", "Allow", "Cache-Control", "Vary")
    differing = []
    for path in addresses({**ORDINARY, "int": [str(pair.pk)]}):
        if not path.startswith("/api/"):
            continue
        got, head = visitor.ask("GET", path), visitor.ask("HEAD", path)
        for name in names:
            if got.headers.get(name) != head.headers.get(name):
                differing.append(
                    f"{path}: {name}: {got.headers.get(name)}, {head.headers.get(name)}"
                )
    assert differing == []


def test_options_returns_the_allowed_methods_of_every_endpoint(visitor, pair, hello):
    wrong = []
    for path in addresses({**ORDINARY, "int": [str(pair.pk)]}):
        if not path.startswith("/api/"):
            continue
        for accept in ("application/json", "text/html", "*/*"):
            answer = visitor.ask("OPTIONS", path, HTTP_ACCEPT=accept)
            allowed = answer.headers.get("Allow", "").split(", ")
            is_json = answer.headers["Content-Type"] == "application/json"
            if answer.status_code != 200 or not is_json or answer.json() != {"methods": allowed}:
                wrong.append(f"{path} {accept}: {answer.status_code}")
            elif ("HEAD" in allowed) != ("GET" in allowed) or "OPTIONS" not in allowed:
                wrong.append(f"{path}: {allowed}")
    assert wrong == []


def test_head_matches_get_without_a_body(visitor, pair, hello):
    differing = []
    for path in addresses({**ORDINARY, "int": [str(pair.pk)]}):
        got, head = visitor.ask("GET", path), visitor.ask("HEAD", path)
        if head.status_code != got.status_code or (not head.streaming and head.content):
            differing.append(f"{path}: {got.status_code}, {head.status_code}")
    assert differing == []


# --- the trailing slash ---------------------------------------------------------------------------


def test_trailing_slash_of_api_urls_is_optional(visitor, pair, hello):
    differing = []
    for path in addresses({**ORDINARY, "int": [str(pair.pk)]}):
        if not path.startswith("/api/"):
            continue
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            with_slash = visitor.ask(method, path, b"{}")
            without = visitor.ask(method, path[:-1], b"{}")
            if without.status_code != with_slash.status_code:
                differing.append(f"{method} {path}: {without.status_code}")
    assert differing == []
    path = f"/api/conversations/{pair.pk}/messages"
    answer = visitor.ask("POST", path, b'{"key": "k", "body": "Not lost"}')
    assert (answer.status_code, answer.json()["body"]) == (201, "Not lost")


def test_missing_slash_of_a_page_never_loses_a_body(visitor, pair, hello):
    """Clients send GET without the body after 301 and 302, and the same request again after 308."""
    lost = []
    for path in addresses({**ORDINARY, "int": [str(pair.pk)]}):
        without = path.removesuffix("/")
        if path.startswith("/api/") or without in ("", path):
            continue
        answer = visitor.ask("POST", without, b"a=1", "application/x-www-form-urlencoded")
        if answer.status_code in (301, 302):
            lost.append(f"{path}: {answer.status_code}")
        elif answer.status_code == 308:
            assert answer.headers["Location"] == path
    assert lost == []
    assert visitor.ask("GET", "/settings/profile").status_code == 301
    assert visitor.ask("POST", "/settings/profile").status_code == 308


def test_redirect_to_https_never_loses_a_body(visitor, settings):
    settings.SECURE_SSL_REDIRECT = True
    client = Client()  # middleware reads the setting once
    assert client.get("/api/me/").status_code == 301
    answer = client.post("/api/token/", "{}", "application/json")
    assert (answer.status_code, answer.headers["Location"]) == (
        308,
        "https://testserver/api/token/",
    )


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_api_index_says_where_everything_is(path, client, pair):
    answer = client.get(path)
    assert answer.status_code == 200
    told = answer.json()
    assert told["documentation"] == "http://testserver/api/docs/"
    assert told["schema"] == "http://testserver/api/schema/"
    assert told["socket"] == "ws://testserver/ws/"
    endpoints = told["endpoints"]
    assert endpoints["conversations"] == "http://testserver/api/conversations/"
    assert endpoints["message"] == "http://testserver/api/messages/{message}/"
    # Every route is listed, and every listed one exists.
    routes = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route) for route, _kinds in patterns()}
    listed = {each.removeprefix("http://testserver") for each in endpoints.values()}
    assert listed == {route for route in routes if route.startswith("/api/")}


def test_api_index_uses_secure_urls_over_https(client, settings):
    told = client.get("/api/", secure=True).json()
    assert told["socket"] == "wss://testserver/ws/"
    assert told["endpoints"]["me"] == "https://testserver/api/me/"


@pytest.mark.parametrize("path", ["/api/nothing", "/api/nothing/", "/api/conversations/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_api_url_returns_json(path, method, visitor):
    answer = visitor.ask(method, path, b"{}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/api/me/sign-ins/%00/", "/api/users/1/picture/%00/"])
def test_nul_in_a_url_is_not_found(path, alice, api_of):
    """PostgreSQL rejects it in a query."""
    for method in ("DELETE", "GET"):
        answer = api_of(alice).generic(method, path)
        assert answer.status_code in (404, 405)
        assert answer.json()["code"] in ("not_found", "method_not_allowed")
