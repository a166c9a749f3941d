"""The OpenAPI schema under concurrent requests."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from chatty.api.views import SharedSchemaGenerator
from chatty.common.errors import CODES

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


@pytest.mark.django_db
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
    assert set(components["Message"]["required"]) == message.keys() - {
        "files",
        "mentions_all",
        "pinned",
    }
    assert message["created_at"] == {"type": "string", "format": "date-time"}
    null = {"type": "null"}
    assert message["deleted_at"] == {"anyOf": [{"type": "string", "format": "date-time"}, null]}
    assert message["author"] == {"anyOf": [{"$ref": "#/components/schemas/Person"}, null]}
    conversation = components["Conversation"]["properties"]
    assert conversation["last_text_at"] == {"type": "string", "format": "date-time"}
    role = {"$ref": "#/components/schemas/MembershipRole"}
    assert conversation["role"] == {
        "anyOf": [role, {"type": "string"}],
        "description": "Your role.",
    }
    assert components["RoleChangeRequest"]["properties"]["role"] == role
    assert components["MembershipRole"] == {"type": "string", "enum": ["owner", "admin", "member"]}
    # Also one whose field is called "title", as that of a JSON Schema.
    assert "title" in components["Me"]["properties"]


def test_choices_are_described_in_the_language_of_the_request(client):
    def contrasts(language):
        schema = client.get("/api/schema/", {"format": "json", "lang": language}).json()
        return schema["components"]["schemas"]["Contrast"]["description"]

    assert "* `more`: High" in contrasts("en")
    assert "* `more`: Hoch" in contrasts("de")


@pytest.fixture
def described(client):
    return client.get("/api/schema/", {"format": "json"}).json()


def shapes_in(value):
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from shapes_in(each)


def test_choices_in_responses_are_open(described):
    """A generated client must not fail at a kind of message or a code that a later version adds."""
    schemas = described["components"]["schemas"]
    choices = {name for name, component in schemas.items() if "enum" in component}
    assert {"MessageKind", "ErrorCode", "MembershipRole"} <= choices
    closed, opened = [], set()
    for name in schemas.keys() - choices:
        is_request = schemas[name].get("additionalProperties") is False
        for shape in shapes_in(schemas[name]):
            assert "enum" not in shape, (name, shape)
            if "anyOf" in shape and {"type": "string"} in shape["anyOf"][1:]:
                opened |= {id(each) for each in shape["anyOf"]}
            elif (
                str(shape.get("$ref", "")).rpartition("/")[2] in choices
                and not is_request  # everything else is rejected
                and id(shape) not in opened
            ):
                closed.append((name, shape))
    assert closed == []
    assert opened


def test_all_error_codes_are_described(described):
    schemas = described["components"]["schemas"]
    known = {"$ref": "#/components/schemas/ErrorCode"}
    assert schemas["Error"]["properties"]["code"] == {"anyOf": [known, {"type": "string"}]}
    assert schemas["ErrorCode"]["enum"] == list(CODES)
    for name, code in CODES.items():
        assert f"* `{name}`: {code.detail}" in schemas["ErrorCode"]["description"]


def test_every_operation_has_the_same_errors(described):
    for name, operation in operations_of(described):
        errors = {status: operation["responses"].get(status) for status in ("4XX", "5XX")}
        assert errors == {
            "4XX": {"$ref": "#/components/responses/Error"},
            "5XX": {"$ref": "#/components/responses/ServerError"},
        }, name


# Words of the code, and what base classes say about themselves.
INTERNAL = re.compile(
    r"\w+Out\b|\w+\.py\b|docs/|\b(rows?|struct|serializer|queryset|base class|model)\b"
    r"|Unknown and read-only|Limits the requests|  |\b_\w+\b"
)


def test_descriptions_contain_nothing_internal(described):
    found = [
        (name, shape[name])
        for shape in shapes_in(described)
        for name in ("description", "summary")
        if isinstance(shape.get(name), str) and INTERNAL.search(shape[name])
    ]
    assert found == []


def test_everything_is_described(described):
    """Operations by a summary, responses and parameters by a sentence, and groups by a tag."""
    tags = {tag["name"] for tag in described["tags"]}
    used = set()
    for name, operation in operations_of(described):
        (tag,) = operation["tags"]
        used.add(tag)
        assert "security" in operation, name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])
        for status, response in operation["responses"].items():
            assert response.get("description") or "$ref" in response, (name, status)
    assert used == tags


def operations_of(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_bodies_are_required_where_an_empty_one_would_be_pointless(described):
    optional = [
        name
        for name, operation in operations_of(described)
        if "requestBody" in operation and not operation["requestBody"].get("required")
    ]
    assert sorted(optional) == [
        "POST /api/conversations/{conversation}/join-requests/{user}/decline/",
        "POST /api/conversations/{conversation}/leave/",
        "POST /api/token/logout/",
    ]


def test_texts_have_one_description(described):
    """Not one of a text or "", which generators turn into two classes."""
    for name, component in described["components"]["schemas"].items():
        for field, shape in component.get("properties", {}).items():
            assert {"type": "string", "maxLength": 0} not in shape.get("oneOf", []), (name, field)


def test_operations_have_a_summary_and_a_readable_id(described):
    ids = []
    for name, operation in operations_of(described):
        summary, about = operation["summary"], operation["description"]
        assert summary[0].isupper(), name
        assert not summary.endswith("."), name
        assert about.startswith(summary), name
        assert len(summary) <= 100, name
        ids.append(operation["operationId"])
        for word in ("partial", "retrieve", "destroy", "accept_create", "email_create"):
            assert word not in operation["operationId"], name
    assert len(set(ids)) == len(ids)
    assert {
        *("conversations_list", "conversations_create", "conversations_get", "conversations_join"),
        *("conversations_update", "conversations_members_add", "messages_reactions_delete"),
        *("me_get", "me_update", "me_password_change", "users_get", "search", "index", "token"),
    } <= set(ids)


def test_history_and_changes_are_told_apart_by_their_type(described):
    schemas = described["components"]["schemas"]
    either = schemas["Messages"]
    assert either["discriminator"] == {
        "propertyName": "type",
        "mapping": {
            "history": "#/components/schemas/History",
            "changes": "#/components/schemas/Changes",
        },
    }
    for name in ("History", "Changes"):
        assert "type" in schemas[name]["required"]
        assert schemas[name]["properties"]["type"] == {"type": "string", "const": name.lower()}


@pytest.mark.django_db
def test_documentation_is_a_page_like_the_others(client):
    """With a skip link and the theme's colours; the style sheet of Swagger UI is in a layer below ours."""
    page = client.get("/api/docs/").content.decode()
    assert 'href="#main"' in page
    assert 'data-theme="system"' in page
    assert "css/api_docs.css" in page
    assert "swagger-ui.css" not in page
