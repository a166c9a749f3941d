"""Values that no database, header or parser accepts, in every part of a request: never a server error.

URLs come from the URLconf, and JSON fields from the OpenAPI schema. Which parameters and fields a page reads
is found by watching it, so new ones are tested too.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils.datastructures import MultiValueDict

from accounts import socket_auth
from chatty.common.errors import ChatError
from conversations import protocol
from conversations.tests.test_api_strictness import OPERATIONS
from conversations.tests.test_every_address import ORDINARY, Visitor, addresses, patterns, visitor
from conversations.web import newcomers

__all__ = ["visitor"]

FORM = "application/x-www-form-urlencoded"
# Escaped as in a URL or a form.
ESCAPED = [
    "a%00b%FF%ED%A0%80",  # a NUL, invalid UTF-8, a lone surrogate
    "9" * 30,
    "x" * 8000,
]
# As in JSON, for a field of either type.
TEXTS = {
    "NUL": rb'"a\u0000b"',
    "half of a surrogate pair": rb'"\ud800"',
    "no UTF-8": b'"\xff\xc0\xaf"',
    "no character": rb'"\ufffe\u202e"',
    "a megabyte": b'"' + b"x" * 1024 * 1024 + b'"',
}
NUMBERS = {
    "huge": b"9" * 30,
    "huge and negative": b"-" + b"9" * 30,
    "beyond a float": b"1e400",
    "beyond 64 bits": b"%d" % 2**63,
    "the largest we take": b"%d" % (2**53 - 1),
    "endless": b"9" * 10_000,
}
NESTED = {"deep": b"[" * 40 + b"]" * 40, "very deep": b'{"a":' * 100_000}


def pages_and_values(visitor: Visitor, pair: Any, read: set[str], method: str) -> Iterator[Any]:
    """Yield each page with hostile values for everything it reads, rotating the values among the names."""
    for path in addresses({**ORDINARY, "int": [str(pair.pk)]}):
        if path.startswith("/api/"):
            continue
        read.clear()
        visitor.ask(method, path, b"", FORM)
        names = sorted(read)
        for turn in range(len(ESCAPED) if names else 0):
            given = [f"{name}={ESCAPED[(turn + n) % len(ESCAPED)]}" for n, name in enumerate(names)]
            yield path, "&".join(given)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Record the names that are looked up in query strings and forms."""
    names: set[str] = set()

    def watch(kind: type, method: str) -> None:
        look_up = getattr(kind, method)

        def watched(self: Any, name: Any, *args: Any) -> Any:
            if isinstance(self, QueryDict) and isinstance(name, str):
                names.add(name)
            return look_up(self, name, *args)

        monkeypatch.setattr(kind, method, watched, raising=False)

    for method in ("__getitem__", "get", "getlist"):
        watch(MultiValueDict, method)
    watch(QueryDict, "__contains__")
    return names


@pytest.mark.entrances
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_hostile_values_in_urls(method, visitor, pair):
    texts = ["a%00b", "%ED%A0%80%FF%C0%AF", "9" * 30]
    hostile = {
        "int": ["0", "9" * 30, str(2**63)],
        **dict.fromkeys(("str", "slug", "path"), texts),
    }
    ordinary = {route for route, kinds in patterns() if not kinds}
    for path in addresses(hostile):
        if path not in ordinary and (method != "DELETE" or path.startswith("/api/")):
            visitor.ask(method, path, b"{}" if method == "POST" else b"")
    assert visitor.faults == []


@pytest.mark.entrances
def test_hostile_values_in_query_parameters_of_pages(visitor, pair, hello, read):
    for path, query in pages_and_values(visitor, pair, read, "GET"):
        visitor.ask("GET", f"{path}?{query}")
    assert visitor.faults == []


@pytest.mark.entrances
def test_admin_changelists_accept_only_their_own_filters(visitor, pair, hello):
    hostile = [
        *("exact=" + "9" * 30, "exact=%00", "isnull=x", "isempty=%5B"),
        *("regex=%5B", "year=-1", "range=9", "startswith=p"),
    ]
    passed = set()
    for model, shown in admin.site._registry.items():
        about = model._meta
        path = reverse(f"admin:{about.app_label}_{about.model_name}_changelist")
        filters = [each[0] if isinstance(each, tuple) else each for each in shown.list_filter]
        for number, column in enumerate(about.concrete_fields):
            turn = hostile[number % len(hostile)]
            for lookup in hostile if column.name in filters else [turn]:
                answer = visitor.ask("GET", f"{path}?{column.name}__{lookup}")
                if answer.status_code != 400:
                    passed.add(column.name)
        if shown.get_changelist(None) is ChangeList:  # others read only their own parameters
            assert passed <= {*filters}
        passed.clear()
    assert visitor.faults == []


@pytest.mark.entrances
def test_hostile_values_in_form_fields(visitor, pair, hello, read):
    for path, form in pages_and_values(visitor, pair, read, "POST"):
        visitor.ask("POST", path, form.encode(), FORM)
    assert visitor.faults == []


def test_hostile_values_in_query_parameters_of_the_api(visitor, pair, hello):
    for operation in OPERATIONS:
        for name in operation.query:
            for value in ESCAPED:
                visitor.ask(
                    operation.method, f"{filled(operation.path, pair, hello)}?{name}={value}"
                )
    assert visitor.faults == []


def test_hostile_values_in_json_of_the_api(visitor, pair, hello):
    good = {"string": b'"x"', "integer": b"1", "boolean": b"true", "array": b"[1]"}
    for operation in OPERATIONS:
        path = filled(operation.path, pair, hello)
        if operation.method != "GET":
            visitor.ask(operation.method, path, rb'{"\u0000": 1}')
            visitor.ask(operation.method, path, NESTED["very deep"])
        fields = operation.body.get("properties", {})
        for name, shape in fields.items():
            values = {**(TEXTS if shape["type"] == "string" else NUMBERS), "deep": NESTED["deep"]}
            for raw in values.values():
                given = {
                    each: good[fields[each]["type"]] for each in operation.body.get("required", ())
                }
                given[name] = b"[" + raw + b"]" if shape["type"] == "array" else raw
                members = [b'"%s":%s' % (each.encode(), value) for each, value in given.items()]
                visitor.ask(operation.method, path, b"{" + b",".join(members) + b"}")
    assert visitor.faults == []


def filled(path: str, pair: Any, hello: Any) -> str:
    ids = {
        "conversation": pair.pk,
        "message": hello.pk,
        "user": hello.author_id,
        "emoji": quote("👍"),
    }
    while "{" in path:
        name = path.partition("{")[2].partition("}")[0]
        path = path.replace(f"{{{name}}}", str(ids.get(name, "x")))
    return path


# --- headers --------------------------------------------------------------------------------------

COOKIES = [
    '"a\\000b' + "x" * 30 + '"',  # quoted, with a NUL as an octal escape
    "\xff\xfe" + "x" * 30,
    "9" * 40,
    "[" * 3000 + ":a:b",
    ".eJwLy:1:1",  # claims to be compressed
    "x" * 8000,
    "",
]
NAMES = [
    settings.SESSION_COOKIE_NAME,
    settings.CSRF_COOKIE_NAME,
    settings.LANGUAGE_COOKIE_NAME,
    settings.DEVICE_COOKIE_NAME,
    newcomers.COOKIE,
    "messages",
]
HEADERS = {
    "Authorization": ["Bearer \0", "Bearer \xff", "Bearer e30.e30.e30", "Bearer " + "[" * 5000],
    "Accept-Language": ["\0", "\xff", "de;q=9e999", "a-" * 2000, "../../etc"],
    "Accept": ["\0", "*/*;" + "x=1;" * 500, "application/json; indent=" + "9" * 30],
    "User-Agent": ["a\0b", "\xff\xfe", "x" * 8000],
    "X-CSRFToken": ["\0", "\xff", "x" * 8000],
    "If-None-Match": ["\0", '"', "\xff"],
    "Content-Type": ["\0", f"{FORM}; charset=utf-7", "multipart/form-data", "image/" + "x" * 3000],
}


def asked_with(header: str, value: str) -> list[str]:
    """Return the failures of some anonymous requests with this header."""
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    account = b'{"email": "a@example.org", "password": "x"}'
    requests = [
        ("GET", "/", b"", ""),
        ("GET", "/api/me/", b"", ""),
        ("POST", "/sign-in/", b"email=a@example.org&password=x", FORM),
        ("POST", "/api/token/", account, "application/json"),
    ]
    faults = []
    for method, path, body, kind in requests:
        headers = {"Content-Type": kind or "text/plain", header: value}
        content_type = headers.pop("Content-Type")
        answer = client.generic(method, path, body, content_type, headers=headers)
        client.cookies.clear()
        if answer.status_code >= 500:
            faults.append(f"{header}: {value:.50} {method} {path}: {answer.status_code}")
    return faults


def test_hostile_values_in_cookies(db):
    faults = []
    for name in NAMES:
        for value in COOKIES:
            faults += asked_with("Cookie", f"{name}={value}")
    assert faults == []


def test_hostile_values_in_headers(db):
    assert [
        f for name, values in HEADERS.items() for v in values for f in asked_with(name, v)
    ] == []


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "utf-16", "latin-1"])
def test_charset_cannot_smuggle_a_lone_surrogate(charset, visitor, pair):
    r"""+2AA- in UTF-7 and \ud800 in unicode_escape both are U+D800."""
    path = f"/c/{pair.pk}/messages/"
    parts = b'--x\r\nContent-Disposition: form-data; name="body"\r\n\r\n+2AA-\\ud800\r\n--x--\r\n'
    kinds = [
        (path, parts, "multipart/form-data; boundary=x"),
        (path, b"body=%2B2AA-%5Cud800", FORM),
        ("/c/browse/?q=%2B2AA-%5Cud800", b"", "text/plain"),
        ("/api/users/?q=%2B2AA-%5Cud800", b"", "application/json"),
    ]
    for address, body, kind in kinds:
        kind = f"{kind}; charset={charset}"
        method = "POST" if body else "GET"
        answer = visitor.ask(method, address, body, kind, CONTENT_TYPE=kind)
        assert answer.status_code in (400, 415)
        assert "UTF-8" in answer.content.decode()
    answer = visitor.ask("POST", path, parts, "multipart/form-data; boundary=x; charset=UTF8")
    # Without a key the text is shown again, unchanged.
    assert "+2AA-\\ud800" in answer.content.decode()
    assert visitor.faults == []


# --- sockets --------------------------------------------------------------------------------------


def frames() -> list[type[protocol.ClientFrame]]:
    return protocol.ClientFrame.__subclasses__()


@pytest.mark.parametrize("kind", frames(), ids=lambda kind: kind.__struct_config__.tag)
def test_hostile_values_in_frames(kind):
    hints = typing.get_type_hints(kind)
    good = {name: b'"x"' if hint is str else b"1" for name, hint in hints.items()}
    values = {**TEXTS, **NUMBERS, **NESTED}
    for name in hints:
        for told, raw in values.items():
            given = {"type": b'"%s"' % str(kind.__struct_config__.tag).encode(), **good, name: raw}
            members = [b'"%s":%s' % (each.encode(), value) for each, value in given.items()]
            frame = b"{" + b",".join(members) + b"}"
            try:
                text = protocol.parse(frame.decode("utf-8", "surrogateescape"))
            except ChatError:
                continue
            # Text in JSON is validated where it is used, as everywhere else.
            assert told in ("the largest we take", "NUL", "no character"), told
            assert type(getattr(text, name)) is (int if told == "the largest we take" else str)


def test_hostile_values_in_handshakes(db):
    for name in NAMES:
        for value in COOKIES:
            cookie = f"{name}={value}".encode("latin-1")
            scope = {
                "type": "websocket",
                "scheme": "http",
                "headers": [
                    (b"host", b"testserver"),
                    (b"origin", b"http://testserver"),
                    (b"cookie", cookie),
                ],
            }
            assert socket_auth.language(scope)
            with pytest.raises(ChatError):
                socket_auth.identify(scope)
    for header in ("Authorization", "Accept-Language"):
        for value in HEADERS[header]:
            headers = [(header.lower().encode(), value.encode("latin-1"))]
            assert socket_auth.language({"headers": headers})
            with pytest.raises(ChatError):
                socket_auth.identify({"scheme": "http", "headers": headers})
