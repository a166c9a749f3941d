"""The API against its own schema: for any request by anyone, the response conforms to /api/schema/ and is
never a server error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from accounts import tokens
from conversations import actions
from conversations.tests.helpers import assert_consistent, say

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
# Few, because there are two dozen endpoints, four users and two modes.
EXAMPLES = examples(
    max_examples=4,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def described(db: Any, settings: Any) -> Iterator[Any]:
    settings.LIMITS = {**settings.LIMITS, "requests": "100000/s"}
    # The requests run in the test's own transaction. Like Django's test client, keep them from closing its
    # connection.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    schema = schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())
    yield schema.include(path_regex="^/api/(conversations|messages)/")
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def headers_of(user: Any) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}  # nothing decompresses responses over WSGI
    if user is None:
        return headers
    bearer = tokens.begin(user, client="a program").access
    return {**headers, "Authorization": f"Bearer {bearer}"}


def examine(operation: Any, mode: GenerationMode, headers: dict[str, str], **ids: Any) -> list[int]:
    """Send generated requests, each rolled back afterwards. Return the statuses of the responses."""
    statuses: list[int] = []
    of_this_path = {name: ids[name] for name in ids if f"{{{name}}}" in operation.path}
    fixed = {"path_parameters": of_this_path} if of_this_path else {}

    @EXAMPLES
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def knock(case: Any) -> None:
        with transaction.atomic():
            response = case.call(headers=headers)
            case.validate_response(response, checks=CHECKS, headers=headers)
            statuses.append(response.status_code)
            transaction.set_rollback(True)

    knock()
    return statuses


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("who", ["alice", "bob", "carol", "nobody"])
def test_responses_conform_to_the_schema(who, request, described, alice, bob, pair):
    message = say(alice if who == "alice" else bob, pair, "Hello")
    actions.react(alice, message.pk, "👍")
    user = None if who == "nobody" else request.getfixturevalue(who)
    headers = headers_of(user)
    ids = {"conversation": pair.pk, "message": message.pk, "user": bob.pk, "emoji": "👍"}
    answered: dict[str, list[int]] = {}
    for result in described.get_all_operations():
        operation = result.ok()
        answered[operation.label] = examine(operation, GenerationMode.POSITIVE, headers, **ids)
        # For everyone else most requests are rejected before they are validated.
        if who == "alice" and (operation.body or operation.query):
            examine(operation, GenerationMode.NEGATIVE, headers, **ids)
        if who == "alice" and "{" in operation.path:
            # Not these rows: any value that the schema allows in the path.
            assert 200 not in examine(operation, GenerationMode.POSITIVE, headers)
    assert_consistent(pair)
    # The endpoints were really reached, and closed to those without access.
    assert len(answered) == 34
    if who == "nobody":
        assert {status for statuses in answered.values() for status in statuses} == {401}
    reading = answered["GET /api/conversations/{conversation}/messages/"]
    assert set(reading) & ({200} if who in ("alice", "bob") else {401, 404})
    if who in ("alice", "bob"):
        assert 200 in answered["DELETE /api/messages/{message}/"]


def test_schema_is_complete_and_valid(tmp_path, db):
    path = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    assert "/api/conversations/{conversation}/messages/" in path.read_text()
