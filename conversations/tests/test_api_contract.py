"""The API against its own schema: for any request by anyone, the response conforms to /api/schema/ and is
never a server error."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from accounts import actions as account_actions
from accounts import tokens
from accounts.models import SignIn
from conversations import actions
from conversations.attachments.actions import uploading
from conversations.custom_emoji import actions as emoji_actions
from conversations.invitations.actions import create_invitation
from conversations.tests.helpers import assert_consistent, say

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
FEW, MANY = 2, 25  # examples of each operation, person and mode


@pytest.fixture
def described(db: Any, settings: Any) -> Iterator[Any]:
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "100000/s")
    # The requests run in the test's own transaction. Like Django's test client, keep them from closing its
    # connection.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def headers_of(user: Any) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}  # nothing decompresses responses over WSGI
    if user is None:
        return headers
    bearer = tokens.begin(user, client="a program").access
    return {**headers, "Authorization": f"Bearer {bearer}"}


class Knocker:
    """Sends generated requests to every operation as one person, and counts them by status."""

    def __init__(self, headers: dict[str, str], examples: int, ids: dict[str, Any]) -> None:
        self.headers = headers
        self.ids = ids
        self.cases = 0
        self.settings = hypothesis_settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )

    def knock(self, operation: Any, mode: GenerationMode, *, known: bool = True) -> set[int]:
        """Send requests, each rolled back afterwards. Return the statuses of the responses.

        `known`: with the ids of existing rows in the path. Otherwise, with those of no rows.
        """
        statuses: set[int] = set()
        ids = {name: self.ids[name] for name in self.ids if f"{{{name}}}" in operation.path}
        fixed = {"path_parameters": ids} if ids and known else {}

        @self.settings
        @given(case=operation.as_strategy(generation_mode=mode, **fixed))
        def knock(case: Any) -> None:
            numbers = [each for each in case.path_parameters.values() if isinstance(each, int)]
            assume(known or all(number > 1000 for number in numbers))
            with transaction.atomic():
                response = case.call(headers=self.headers)
                case.validate_response(response, checks=CHECKS, headers=self.headers)
                if case.method == "GET":
                    self.compare_head(case, response)
                transaction.set_rollback(True)
            statuses.add(response.status_code)
            self.cases += 1

        knock()
        return statuses

    def compare_head(self, case: Any, got: Any) -> None:
        case.method = "HEAD"
        head = case.call(headers=self.headers)  # with a body: servers leave it out
        assert head.status_code == got.status_code, case
        for name in ("content-type", "etag", "upload-offset"):
            assert head.headers.get(name) == got.headers.get(name), (case, name)
        self.cases += 1


def visit(who: str, described: Any, people: dict[str, Any], pair: Any, examples: int) -> None:
    """Send requests to every operation as this person. Checks what was reached."""
    alice, bob = people["alice"], people["bob"]
    message = say(alice if who == "alice" else bob, pair, "Hello")
    actions.react(alice, message.pk, "👍")
    file, _new = uploading.begin(alice, key="seeds", name="seeds.txt", size=20)
    invitation = create_invitation(alice, key="friends", conversation_ids=[pair.pk]).invitation
    account_actions.update_profile(bob, picture=picture())
    blob, _new = emoji_actions.add(alice, key="blob", name="blob", picture=picture())
    headers = headers_of(people.get(who))
    sign_in = SignIn.objects.filter(user=people.get(who)).first()
    ids = {"conversation": pair.pk, "message": message.pk, "user": bob.pk, "emoji": "👍"}
    ids |= {"upload": file.pk, "invitation": invitation.pk, "digest": bob.picture}
    ids |= {"sid": sign_in.sid if sign_in else "x", "custom_emoji": blob.pk}
    knocker = Knocker(headers, examples, ids)
    answered = {}
    for result in described.get_all_operations():
        operation = result.ok()
        answered[operation.label] = knocker.knock(operation, GenerationMode.POSITIVE)
        # For everyone else most requests are rejected before they are validated.
        if who == "alice" and (operation.body or operation.query):
            knocker.knock(operation, GenerationMode.NEGATIVE)
        if who == "alice" and "{" in operation.path:
            # Not these rows: any value that the schema allows in the path.
            statuses = knocker.knock(operation, GenerationMode.POSITIVE, known=False)
            assert statuses <= {400, 404}, (operation.label, statuses)
    assert_consistent(pair)
    # The endpoints were really reached, and closed to those without access.
    assert len(answered) == 77
    reading = answered["GET /api/conversations/{conversation}/messages/"]
    if who == "nobody":
        opened = {name for name, statuses in answered.items() if statuses != {401}}
        assert {"GET /api/", "POST /api/register/"} <= opened <= OPENED
    elif who == "carol":
        assert 200 not in reading
    else:
        assert 200 in reading
        assert 200 in answered["DELETE /api/messages/{message}/"]
    print(f"{knocker.cases} requests as {who}")  # shown with -rP


# What people can do without an account. Those with tokens also respond with 401.
OPENED = {
    "GET /api/",
    "POST /api/register/",
    "POST /api/register/link/",
    "POST /api/token/",
    "POST /api/token/refresh/",
    "POST /api/token/logout/",
    "POST /api/invitations/look-up/",
    "POST /api/invitations/register/",
}


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "green").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def people(alice: Any, ann: Any, bob: Any, carol: Any, pair: Any) -> dict[str, Any]:
    """An owner, an admin, a member and someone else."""
    actions.add_members(alice, pair.pk, [ann.pk])
    actions.change_role(alice, pair.pk, ann.pk, "admin")
    return {"alice": alice, "ann": ann, "bob": bob, "carol": carol}


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("who", ["alice", "nobody"])  # the others only with many requests
def test_responses_conform_to_the_schema(who, described, people, pair):
    visit(who, described, people, pair, FEW)


@pytest.mark.long
@pytest.mark.once
@pytest.mark.parametrize("who", ["alice", "ann", "bob", "carol", "nobody"])
def test_responses_to_many_requests_conform_to_the_schema(who, described, people, pair):
    visit(who, described, people, pair, MANY)


def test_schema_is_complete_and_valid(tmp_path, db):
    path = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    assert "/api/conversations/{conversation}/messages/" in path.read_text()
