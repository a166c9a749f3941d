"""Scripts of other websites: API_ORIGINS may use the API with a token, no one with a cookie."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts import tokens
from chatty.api.views import SharedSchemaGenerator
from tests.cast import PASSWORD

OWN = "http://testserver"
LISTED = "https://board.example.net"
FOREIGN = ("https://evil.example", "http://board.example.net", f"{LISTED}:8443", "null", "nonsense")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _site(settings):
    settings.API_ORIGINS = [LISTED, "https://*.example.org"]


@pytest.fixture
def bearer(alice):
    return {"Authorization": f"Bearer {tokens.begin(alice, client='').access}"}


def allowed(answer) -> str | None:
    assert "Access-Control-Allow-Credentials" not in answer.headers
    return answer.headers.get("Access-Control-Allow-Origin")


def preflight(path: str, origin: str):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return Client().options(path, headers=headers)


@pytest.mark.parametrize("origin", [LISTED, "https://a.b.example.org"])
def test_listed_origin_can_read_responses_to_a_token(origin, bearer):
    answer = Client().get("/api/me/", headers={"Origin": origin, **bearer})
    assert (answer.status_code, allowed(answer)) == (200, origin)
    assert "Origin" in answer.headers["Vary"]
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_listed_origin_can_sign_in_and_write(alice):
    client = Client(enforce_csrf_checks=True)
    headers = {"Origin": LISTED}
    account = {"email": alice.email, "password": PASSWORD}
    answer = client.post("/api/token/", account, "application/json", headers=headers)
    assert (answer.status_code, allowed(answer)) == (200, LISTED)
    headers["Authorization"] = f"Bearer {answer.json()['access']}"
    answer = client.patch("/api/me/", {"name": "Ada"}, "application/json", headers=headers)
    assert (answer.status_code, answer.json()["name"], allowed(answer)) == (200, "Ada", LISTED)
    assert not answer.cookies


def test_preflight_of_a_listed_origin_needs_no_token():
    answer = preflight("/api/conversations/7/messages", LISTED)  # without the slash, too
    assert (answer.status_code, answer.content, allowed(answer)) == (204, b"", LISTED)
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


def test_every_header_of_the_api_can_be_sent_and_read():
    """Those that the schema describes. Browsers hide all others from scripts, or don't send them."""
    sent, received = set(), set()
    for methods in SharedSchemaGenerator().get_schema()["paths"].values():
        for operation in methods.values():
            parameters = operation.get("parameters", ())
            sent |= {each["name"] for each in parameters if each["in"] == "header"}
            for response in operation["responses"].values():
                received |= response.get("headers", {}).keys()
    assert {"If-Match", "Upload-Offset"} <= sent
    assert {"ETag", "Upload-Offset"} <= received
    answer = preflight("/api/uploads/", LISTED)
    assert sent <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert received <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))


def test_listed_origin_can_read_errors():
    answer = Client().get("/api/me/", headers={"Origin": LISTED})
    assert (answer.status_code, allowed(answer)) == (401, LISTED)
    answer = Client().get("/api/nothing/", headers={"Origin": LISTED})
    assert (answer.status_code, allowed(answer)) == (404, LISTED)


@pytest.mark.parametrize("origin", FOREIGN)
def test_other_origins_get_no_headers(origin, bearer):
    answer = Client().get("/api/me/", headers={"Origin": origin, **bearer})
    assert allowed(answer) is None
    assert "Origin" in answer.headers["Vary"]
    assert allowed(preflight("/api/me/", origin)) is None


def test_no_origin_is_listed_by_default(settings, bearer):
    settings.API_ORIGINS = []
    answer = Client().get("/api/me/", headers={"Origin": LISTED, **bearer})
    assert allowed(answer) is None
    assert allowed(preflight("/api/me/", LISTED)) is None


@pytest.mark.parametrize("path", ["/files/x/seeds.txt", "/emoji/s0123456789abcdef0123/"])
def test_listed_origin_can_read_what_the_api_links_to(path, bearer, browser):
    answer = Client().get(path, headers={"Origin": LISTED, **bearer})
    assert (answer.status_code, allowed(answer)) == (404, LISTED)  # it was looked for
    assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]
    ranged = preflight(path, LISTED)
    assert (ranged.status_code, allowed(ranged)) == (204, LISTED)
    assert "Range" in ranged.headers["Access-Control-Allow-Headers"].split(", ")
    # As someone who is not signed in, whatever the cookie says.
    assert browser.get(path, headers={"Origin": LISTED}).status_code == 302
    assert allowed(Client().get(path, headers={"Origin": FOREIGN[0], **bearer})) is None


def test_pages_are_never_allowed(browser):
    for path in ("/sign-in/", "/settings/emoji/", "/c/1/files/", "/healthz", "/apis/"):
        assert allowed(browser.get(path, headers={"Origin": LISTED})) is None
        assert allowed(preflight(path, LISTED)) is None


@pytest.mark.parametrize("trusted", [[], [LISTED]])
def test_cookie_from_a_listed_origin_is_ignored(trusted, browser, settings):
    settings.CSRF_TRUSTED_ORIGINS = trusted
    assert browser.get("/api/me/").status_code == 200
    assert browser.get("/api/me/", headers={"Origin": LISTED}).status_code == 401
    answer = browser.patch(
        "/api/me/", {"name": "Mallory"}, "application/json", headers={"Origin": LISTED}
    )
    assert (answer.status_code, allowed(answer)) == (401, LISTED)
    assert not answer.cookies
    assert browser.get("/api/me/").status_code == 200  # the session is still there


def test_own_origin_keeps_its_cookie_even_if_it_is_listed(browser, settings):
    settings.API_ORIGINS = [OWN]
    answer = browser.get("/api/me/", headers={"Origin": OWN})
    assert (answer.status_code, allowed(answer)) == (200, None)
