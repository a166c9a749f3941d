"""The OpenAPI schema under concurrent requests."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from chatty.api.views import SharedSchemaGenerator

MANY = 24


@pytest.fixture
def made(monkeypatch):
    """Count how often the schema is built, starting without a cached one."""
    monkeypatch.setattr(SharedSchemaGenerator, "_made", {})
    calls = []
    make = SchemaGenerator.get_schema
    monkeypatch.setattr(
        SchemaGenerator,
        "get_schema",
        lambda self, **about: calls.append(about) or make(self, **about),
    )
    return calls


def test_concurrent_requests_build_the_schema_once(made):
    start = threading.Barrier(MANY)

    def ask(_number):
        start.wait(timeout=30)
        answer = Client(raise_request_exception=False).get("/api/schema/")
        return answer.status_code, answer.content

    with ThreadPoolExecutor(MANY) as threads:
        answers = set(threads.map(ask, range(MANY)))
    assert len(answers) == 1
    assert {status for status, _content in answers} == {200}
    assert len(made) == 1


def test_schema_is_built_once_per_supported_language(made, client):
    for language, status in (("en", 200), ("de", 200), ("xx", 400), ("\x00", 400), ("de", 200)):
        assert client.get("/api/schema/", {"lang": language}).status_code == status
    assert len(made) == 2


def test_schema_format_can_be_chosen(made, client):
    assert client.get("/api/schema/", {"format": "json"}).json()["info"]["title"] == "Chatty"
    assert client.get("/api/schema/", {"format": "yaml"}).content.startswith(b"openapi:")
    refused = client.get("/api/schema/", {"format": "xml"}, HTTP_ACCEPT="application/json")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["format"])


@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_version_parameter_is_rejected(path, made, client):
    for version in ("9", "a\nb", "\x00"):
        assert client.get(path, {"version": version}).status_code == 400
    assert made == []


def test_components_are_made_from_the_structs(client):
    components = client.get("/api/schema/", {"format": "json"}).json()["components"]["schemas"]
    plain = {
        *("Person", "People", "Message", "Quote", "Reaction", "Notice", "History", "Changes"),
        *("Conversation", "Conversations", "PublicConversation", "PublicConversations"),
        *("Member", "Members", "Removal", "Removals"),
    }
    assert plain <= components.keys()
    assert not [name for name in components if name.endswith("Out")]
    message = components["Message"]["properties"]
    assert set(components["Message"]["required"]) == message.keys()
    assert message["created_at"] == {"type": "string", "format": "date-time"}
    assert message["deleted_at"] == {"type": "string", "format": "date-time", "nullable": True}
    assert message["kind"] == {"$ref": "#/components/schemas/MessageKindEnum"}
    assert message["author"] == {
        "allOf": [{"$ref": "#/components/schemas/Person"}],
        "nullable": True,
    }
    conversation = components["Conversation"]["properties"]
    assert conversation["last_text_at"] == {"type": "string", "format": "date-time"}
    # One component for responses and requests.
    assert conversation["role"]["allOf"] == [{"$ref": "#/components/schemas/RoleEnum"}]
    change = components["PatchedRoleChangeRequest"]["properties"]
    assert change["role"] == {"$ref": "#/components/schemas/RoleEnum"}
    assert "`owner`" in components["RoleEnum"]["description"]


def test_choices_are_described_in_the_language_of_the_request(client):
    def roles(language):
        schema = client.get("/api/schema/", {"format": "json", "lang": language}).json()
        return schema["components"]["schemas"]["RoleEnum"]["description"]

    assert "`member` - member" in roles("en")
    assert "`member` - Mitglied" in roles("de")
