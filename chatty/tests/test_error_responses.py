"""Errors as HTML pages and as JSON: a code, a message and a request id, but no internals."""

from __future__ import annotations

import json
import re

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import include, path
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny

from accounts.models import User
from chatty import urls as real_urls
from chatty.api.views import SharedSchemaGenerator
from chatty.common.errors import ChatError
from chatty.ops import failures

SECRET = "CANARY"


def view_of(error):
    def view(request):
        raise error

    return view


@api_view(["POST"])
@permission_classes([AllowAny])
def echo(request):
    from rest_framework.response import Response

    return Response(request.data)


@api_view(["GET"])
@permission_classes([AllowAny])
def read(request):
    raise FAULTS["away"]


FAULTS = {
    "broken": RuntimeError(f"column {SECRET} does not exist"),
    "away": OperationalError(f"connection to {SECRET} refused"),
    "busy": ChatError("busy", retry_after=1.2),
    "archived": ChatError("archived"),
    "mine": ChatError("not_found"),
    "in": ChatError("unauthenticated"),
}
urlpatterns = [
    *[path(f"{name}/", view_of(error)) for name, error in FAULTS.items()],
    *[path(f"api/{name}/", view_of(error)) for name, error in FAULTS.items()],
    path("api/echo/", echo),
    path("api/read/", read),
    path("", include(real_urls.urlpatterns)),
]
handler400 = real_urls.handler400
handler403 = real_urls.handler403
handler404 = real_urls.handler404
handler500 = real_urls.handler500

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def stranger():
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("broken", 500, "server_error"),
        ("away", 503, "unavailable"),
        ("busy", 503, "busy"),
        ("archived", 409, "archived"),
        ("mine", 404, "not_found"),
    ],
)
def test_errors_are_html_pages_or_json(stranger, name, status, code):
    page = stranger.get(f"/{name}/")
    assert page.status_code == status
    assert page.headers["Content-Type"].startswith("text/html")
    assert SECRET not in page.content.decode()
    answer = stranger.get(f"/api/{name}/")
    assert answer.status_code == status
    body = answer.json()
    assert (body["code"], body["fields"]) == (code, {})
    assert body["retry"] is (status >= 500)
    assert body["detail"].endswith(".")
    assert SECRET not in answer.content.decode()


def test_retry_after_header_is_sent(stranger):
    assert stranger.get("/busy/").headers["Retry-After"] == "2"
    assert stranger.get("/api/away/").headers["Retry-After"] == "2"
    assert "Retry-After" not in stranger.get("/archived/").headers


@pytest.mark.parametrize("address", ["/away/", "/api/away/", "/api/read/"])
def test_database_outage_is_logged_and_returns_503(stranger, address, caplog):
    answer = stranger.get(address)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    noted = [record for record in caplog.records if record.name == "chatty.error_responses"]
    assert [record.getMessage().partition(":")[0] for record in noted] == [
        "The database did not respond"
    ]


@pytest.mark.parametrize("address", ["/", "/away/", "/api/me/"])
def test_database_outage_in_middleware_returns_503(stranger, address, monkeypatch):
    def away(session):
        raise FAULTS["away"]

    stranger.force_login(User.objects.create_user("alice@example.org", "x", name="Alice"))
    monkeypatch.setattr("accounts.middleware.sign_in_of", away)
    answer = stranger.get(address)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert SECRET not in answer.content.decode()


def test_error_page_shows_the_request_id(stranger):
    page = stranger.get("/broken/")
    identity = page.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{12}", identity)
    assert identity in page.content.decode()
    assert stranger.get("/broken/").headers["X-Request-ID"] != identity


def test_request_id_header_of_the_client_is_ignored(stranger):
    page = stranger.get("/mine/", headers={"X-Request-ID": "chosen"})
    assert page.headers["X-Request-ID"] != "chosen"


def test_error_pages_have_security_headers(stranger):
    for name in ("broken", "mine", "archived", "nowhere"):
        page = stranger.get(f"/{name}/")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "no-store" in page.headers["Cache-Control"]


def test_csrf_error_page_explains_what_to_do():
    careful = Client(enforce_csrf_checks=True)
    page = careful.post("/sign-in/", {"email": "alice@example.org", "password": "x"})
    assert page.status_code == 403
    assert "reload the page and try again" in page.content.decode()


def test_unknown_host_is_rejected(stranger):
    page = stranger.get("/sign-in/", headers={"Host": "evil.example.org"})
    assert page.status_code == 400
    assert "evil.example.org" not in page.content.decode()


def test_unknown_api_path_returns_a_json_404(stranger):
    answer = stranger.get("/api/nowhere/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["//api/token/", "/api//token/"])
def test_path_of_a_base_url_with_a_slash_is_answered_in_json(path, stranger):
    answer = stranger.post(f"http://testserver{path}", {}, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "two slashes" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 100_000, "bad_frame"),
        (b'{"a":' * 100_000, "bad_frame"),
        (b"[" * 40 + b"]" * 40, "bad_frame"),
        (b"{", "bad_frame"),
        (b"NaN", "bad_frame"),
        (b'"\\ud800"', "bad_frame"),
        (b"\xff\xfe", "bad_frame"),
        (b'{"a":"\\u0000"}', "bad_text"),
    ],
)
def test_malformed_json_returns_400_with_a_code(stranger, body, code):
    answer = stranger.post("/api/echo/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_valid_json_is_parsed(stranger):
    answer = stranger.post("/api/echo/", '{"a": [1, "\\u00e9"]}', content_type="application/json")
    assert answer.json() == {"a": [1, "é"]}


def test_unsupported_media_type_and_method_are_json_errors(stranger):
    media = stranger.post("/api/echo/", "a=1", content_type="application/x-www-form-urlencoded")
    assert (media.status_code, media.json()["code"]) == (415, "unsupported_media")
    assert media.headers["Accept"] == "application/json"
    method = stranger.put("/api/echo/", "{}", content_type="application/json")
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in method.headers["Allow"]


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "garbage"])
def test_response_in_another_format_is_406(stranger, accept):
    answer = stranger.post("/api/echo/", "{}", "application/json", headers={"accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("accept", ["*/*", "text/html, */*;q=0.1", "application/*"])
def test_json_is_acceptable_as_part_of_a_range(stranger, accept):
    answer = stranger.post("/api/echo/", "{}", "application/json", headers={"accept": accept})
    assert answer.status_code == 200


def test_anonymous_api_request_gets_www_authenticate_bearer(stranger):
    answer = stranger.get("/api/me/")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_invalid_fields_are_named(stranger):
    answer = stranger.post("/api/register/", json.dumps({}), content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert set(answer.json()["fields"]) >= {"email", "password"}


def test_api_sends_no_cors_headers(stranger):
    answer = stranger.options("/api/me/", headers={"Origin": "https://evil.example.org"})
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_schema_covers_paths_and_errors(stranger, monkeypatch):
    # The schema is built once per process, and other tests need that of the real URLs.
    monkeypatch.setattr(SharedSchemaGenerator, "_made", {})
    schema = stranger.get("/api/schema/?format=json").json()
    assert {"/api/register/", "/api/token/", "/api/me/"} <= set(schema["paths"])
    refusals = schema["paths"]["/api/me/"]["get"]["responses"]["4XX"]
    assert refusals == {"$ref": "#/components/responses/Error"}
    error = schema["components"]["responses"]["Error"]["content"]["application/json"]
    assert error["schema"] == {"$ref": "#/components/schemas/Error"}


def test_administration_is_for_staff_only(client):
    bob = User.objects.create_user("bob@example.org", "pw", name="Bob")
    client.force_login(bob)
    assert client.get("/admin/").status_code in {302, 403, 404}


@pytest.mark.django_db
def test_unknown_host_is_logged_once_with_the_setting_to_change(settings, caplog, monkeypatch):
    monkeypatch.setattr(failures, "_reported_at", {})
    settings.PUBLIC_URL = "https://chat.example.org"
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.SECURE_SSL_REDIRECT = False
    for asked in ("/sign-in/", "/api/me/"):
        answer = Client().get(asked, headers={"host": "127.0.0.1:8000"})
        assert answer.status_code == 400
        assert "available at this address. Check the address" in answer.content.decode()
    text = [
        record.getMessage() for record in caplog.records if record.name == "chatty.error_responses"
    ]
    assert len(text) == 1  # logged once, however often it happens
    assert "the host '127.0.0.1:8000'" in text[0]
    assert "PUBLIC_URL=https://chat.example.org" in text[0]
