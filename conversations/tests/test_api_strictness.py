"""Unknown fields and parameters and values of the wrong type are rejected by every endpoint.

The endpoints come from the OpenAPI schema, and that from the URLconf, so new ones are tested too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from django.test import Client

from chatty.api.views import SharedSchemaGenerator
from conversations.invitations.actions import create_invitation
from conversations.tests.test_every_address import patterns

METHODS = ("get", "post", "put", "patch", "delete")
# For each type of the schema, values that other APIs would convert to it.
WRONG: dict[str, list[Any]] = {
    "string": [5, 5.0, True, [], {}, ["x"]],
    "integer": ["5", 5.0, True, [], {}, "", 10**30, -(10**30)],
    "boolean": ["true", 1, 0, [], {}, ""],
    "array": ["5", 5, True, {}],
    "object": ["5", 5, True, [], {}, {"frob": 1}],  # of which fields are required
}
WRONG_IN_A_QUERY = {"integer": ["5.0", "true", "", "x", "9" * 30, "-1", "\u00b2", "1\0"]}
NOT_OF_A_CHOICE = ["nope", "", "x" * 1000]


class Operation(NamedTuple):
    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any]
    kinds: list[str]  # media types of the body; empty if there is none

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> list[Operation]:
    description = SharedSchemaGenerator().get_schema()

    def resolved(shape: dict[str, Any]) -> dict[str, Any]:
        """Return the shape without references, with one type, and whether it can be null."""
        kinds = [*shape.get("allOf", []), *shape.get("anyOf", []), *shape.get("oneOf", [])]
        nullable = {"type": "null"} in kinds or "null" in shape.get("type", ())
        for each in [shape, *kinds]:
            found = each
            if "$ref" in each:
                name = each["$ref"].rpartition("/")[2]
                found = resolved(description["components"]["schemas"][name])
            if found.get("type", "null") != "null":
                kinds = [found["type"]] if isinstance(found["type"], str) else found["type"]
                return {**shape, **found, "type": kinds[0], "nullable": nullable}
        return shape

    found = []
    for path, methods in description["paths"].items():
        for method in METHODS:
            if method not in methods:
                continue
            given = methods[method].get("requestBody", {}).get("content", {})
            body = resolved(given.get("application/json", {}).get("schema", {}))
            if fields := body.get("properties"):
                body = {**body, "properties": {k: resolved(v) for k, v in fields.items()}}
            query = {
                parameter["name"]: resolved(parameter["schema"])
                for parameter in methods[method].get("parameters", [])
                if parameter["in"] == "query"
            }
            found.append(Operation(method.upper(), path, query, body, list(given)))
    return found


OPERATIONS = operations()


@pytest.fixture
def ask(alice: Any, bob: Any, pair: Any, hello: Any, settings: Any) -> Any:
    """ask(operation, query, body) sends a request as Alice, with her own conversation and messages in the
    path."""
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "1000000/s")
    client = Client()
    client.force_login(alice)
    invited = create_invitation(alice, key="k", conversation_ids=[pair.pk])
    ids = {"conversation": pair.pk, "message": hello.pk, "user": bob.pk, "emoji": quote("👍")}
    ids["invitation"] = invited.invitation.pk
    ids["custom_emoji"] = 1

    def ask(operation: Operation, query: str = "", body: Any = None) -> Any:
        path = operation.path
        while "{" in path:
            name = path.partition("{")[2].partition("}")[0]
            path = path.replace(f"{{{name}}}", str(ids.get(name, "x")))
        more = {} if body is None else {"data": body, "content_type": "application/json"}
        request = getattr(client, operation.method.lower())
        return request(f"{path}?{query}" if query else path, HTTP_ACCEPT="*/*", **more)

    return ask


def is_error(answer: Any, name: str) -> bool:
    if answer.status_code != 400 or not answer["Content-Type"].startswith("application/json"):
        return False
    told = answer.json()
    return told["code"] == "invalid" and bool(told["fields"].get(name))


def wrong_values(shape: dict[str, Any]) -> Iterator[Any]:
    yield from WRONG[shape["type"]]
    if not shape.get("nullable"):
        yield None
    if "enum" in shape:
        yield from NOT_OF_A_CHOICE
    if shape["type"] == "array":
        yield from ([value] for value in [*WRONG[shape["items"].get("type", "object")], None])


def test_every_endpoint_is_in_the_schema():
    described = {operation.path.replace("{", "<").replace("}", ">") for operation in OPERATIONS}
    routes = set()
    for route, kinds in patterns():
        path = route
        for part in kinds:
            path = path.replace(part, "<" + part.strip("<>").rpartition(":")[2] + ">")
        routes.add(path)
    api = {route for route in routes if route.startswith("/api/")}
    assert api - described == {"/api/schema/", "/api/docs/"}
    assert len(OPERATIONS) > 35


@pytest.mark.django_db
def test_methods_of_every_endpoint_are_listed_without_signing_in():
    """Those in the description, and HEAD with GET."""
    described: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        described.setdefault(operation.path, {"OPTIONS"}).add(operation.method)
    values = {"emoji": "x", "sid": "x", "digest": "x", "upload": "x"}
    for path, methods in described.items():
        address = re.sub(r"{(\w+)}", lambda name: values.get(name[1], "1"), path)
        answer = Client().options(address)
        also = {"HEAD"} if "GET" in methods else set()
        assert (answer.status_code, set(answer.json()["methods"])) == (200, methods | also), path
        assert set(answer.headers["Allow"].split(", ")) == methods | also


def test_unknown_parameters_are_rejected_everywhere(ask):
    others = [Operation("GET", path, {}, {}, []) for path in ("/api/schema/", "/api/docs/")]
    passed = []
    for operation in OPERATIONS + others:
        answer = ask(operation, "frob=1")
        is_page = operation.path == "/api/docs/"
        if not (answer.status_code == 400 if is_page else is_json_or_yaml(answer, "frob")):
            passed.append(f"{operation}: {answer.status_code}")
    assert passed == []


def is_json_or_yaml(answer: Any, name: str) -> bool:
    if answer["Content-Type"].startswith("application/vnd.oai.openapi"):
        return answer.status_code == 400 and name.encode() in answer.content
    return is_error(answer, name)


def test_repeated_and_invalid_parameters_are_rejected(ask):
    passed = []
    for operation in OPERATIONS:
        for name, shape in operation.query.items():
            wrong = [quote(value) for value in WRONG_IN_A_QUERY.get(shape["type"], ["\0"])]
            for value in [*wrong, f"1&{name}=1"]:
                answer = ask(operation, f"{name}={value}")
                if not is_error(answer, name):
                    passed.append(f"{operation}?{name}={value}: {answer.status_code}")
    assert passed == []


# What creates something, but needs no key: sent again, it changes nothing. A new link ends the former one.
REPEATABLE = {
    *("POST /api/register/", "POST /api/invitations/register/"),  # an address registers once
    *("POST /api/token/", "POST /api/token/refresh/", "POST /api/token/logout/"),
    *("POST /api/conversations/direct/", "POST /api/conversations/{conversation}/members/"),
    *("POST /api/conversations/{conversation}/join/", "POST /api/invitations/accept/"),
    *("POST /api/conversations/{conversation}/leave/", "POST /api/join-requests/"),
    "POST /api/conversations/{conversation}/join-link/",
    # These create nothing that is stored.
    *("POST /api/register/link/", "POST /api/me/email/", "POST /api/me/email/link/"),
    *("POST /api/me/password/", "POST /api/invitations/look-up/"),
    "POST /api/conversations/{conversation}/read/",
    "POST /api/conversations/{conversation}/unread/",
    "POST /api/conversations/{conversation}/join-requests/{user}/accept/",
    "POST /api/conversations/{conversation}/join-requests/{user}/decline/",
    "POST /api/conversations/{conversation}/join-requests/{user}/unblock/",
}


def test_everything_that_creates_takes_a_key_or_can_be_repeated():
    keyless = {
        str(each)
        for each in OPERATIONS
        if each.method == "POST" and "key" not in each.body.get("properties", {})
    }
    assert keyless - {"POST /api/emoji/"} == REPEATABLE  # a form, with a key


def test_unknown_fields_are_rejected_everywhere(ask):
    passed = []
    for operation in OPERATIONS:
        binary = bool(operation.kinds) and "application/json" not in operation.kinds
        if operation.method == "GET" or binary:
            continue
        for body in (
            {"frob": 1},
            {"frob": None, **dict.fromkeys(operation.body.get("required", ()))},
        ):
            answer = ask(operation, body=body)
            if not is_error(answer, "frob"):
                passed.append(f"{operation} {body}: {answer.status_code} {answer.content!r}")
        if operation.body and operation.body.get("additionalProperties") is not False:
            passed.append(f"{operation}: the description allows others")
    assert passed == []


def test_misspelt_names_are_answered_with_the_nearest_known_one(ask):
    """Every field and parameter, with its last letter missing or doubled."""
    silent = []
    for operation in OPERATIONS:
        writable = [n for n, shape in operation.body.get("properties", {}).items() if n]
        for name, fields in [(n, writable) for n in writable] + [
            (n, list(operation.query)) for n in operation.query
        ]:
            for wrong in {name[:-1], name + name[-1]} - {*fields, ""}:
                in_query = name in operation.query and fields is not writable
                answer = (
                    ask(operation, f"{wrong}=1") if in_query else ask(operation, body={wrong: 1})
                )
                told = answer.json()["fields"].get(wrong, [""])[0]
                if f"Did you mean “{name}”?" not in told:
                    silent.append(f"{operation} {wrong}: {told}")
    assert silent == []


@pytest.mark.parametrize(
    ("operation", "query", "body", "wrong", "meant"),
    [
        ("PATCH /api/me/", "", {"nmae": "x"}, "nmae", "name"),
        ("GET /api/users/", "query=ann", None, "query", "q"),
        (
            "POST /api/conversations/{conversation}/messages/",
            "",
            {"replyTo": 1},
            "replyTo",
            "reply_to",
        ),
        ("PATCH /api/me/", "", {"timeZone": "x"}, "timeZone", "time_zone"),
    ],
)
def test_common_mistakes_are_answered_with_the_right_name(
    operation, query, body, wrong, meant, ask
):
    (found,) = [each for each in OPERATIONS if str(each) == operation]
    answer = ask(found, query, body)
    assert is_error(answer, wrong)
    assert f"Did you mean “{meant}”?" in answer.json()["fields"][wrong][0]


@pytest.mark.parametrize(
    ("operation", "body", "outer", "wrong", "meant"),
    [
        ("PATCH /api/me/", {"status": {"emojii": "🏡"}}, "status", "emojii", "emoji"),
        (
            "POST /api/conversations/{conversation}/messages/",
            {"key": "k", "body": "", "files": [{"uplod": "x"}]},
            "files",
            "uplod",
            "upload",
        ),
    ],
)
def test_misspelt_name_within_a_field_is_answered_with_the_right_one(
    operation, body, outer, wrong, meant, ask
):
    (found,) = [each for each in OPERATIONS if str(each) == operation]
    (told,) = ask(found, body=body).json()["fields"][outer]
    assert wrong in told
    assert told.endswith(f"Did you mean “{meant}”?")


def test_fields_of_the_wrong_type_are_rejected_everywhere(ask):
    passed = []
    for operation in OPERATIONS:
        for name, shape in operation.body.get("properties", {}).items():
            for value in wrong_values(shape):
                answer = ask(operation, body={name: value})
                if not is_error(answer, name):
                    told = f"{operation} {name}={value!r:.40}: {answer.status_code}"
                    passed.append(f"{told} {answer.content[:200]!r}")
                if len(answer.content) > 1000:
                    passed.append(f"{operation} {name}={value!r:.40}: told at length")
    assert passed == []


def test_far_too_many_names_or_values_are_not_all_looked_at(ask):
    many = {f"frob{n}": 1 for n in range(500)}
    passed = []
    for operation in OPERATIONS:
        if operation.body.get("properties"):
            answer = ask(operation, body=many)
            if not is_error(answer, "frob0") or len(answer.json()["fields"]) > 25:
                passed.append(f"{operation}: fields")
        if operation.method == "GET":
            answer = ask(operation, query="&".join(f"{name}=1" for name in many))
            if not is_error(answer, "frob0") or len(answer.json()["fields"]) > 25:
                passed.append(f"{operation}: parameters")
        for name, shape in operation.body.get("properties", {}).items():
            # Of messages, msgspec makes the list, which takes no time.
            if shape["type"] == "array" and name != "files":
                answer = ask(operation, body={name: [None] * 1_001})
                if "1,000" not in answer.json()["fields"][name][0]:
                    passed.append(f"{operation}: {name}")
    assert passed == []
