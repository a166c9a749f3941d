"""Chatty as an installable app: manifest, service worker, sharing, notification settings."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import actions as account_actions
from accounts import installation
from conversations import actions
from conversations.models import Membership
from conversations.tests.helpers import say
from conversations.web import script_templates
from conversations.web.forms import LevelForm
from tests.html import one, values, words

# Most of these make no queries that could differ between databases.
once = pytest.mark.once


@pytest.fixture
def stranger(db) -> Client:
    # Every page needs the name of the installation, which is read once a second.
    installation.installation_settings()
    return Client()


@pytest.fixture
def alices(client, alice) -> Client:
    client.force_login(alice)
    return client


# --- without signing in --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["manifest", "service_worker", "offline"])
@once
def test_pwa_files_need_no_sign_in_cookie_or_query(name, stranger, db, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = stranger.get(reverse(f"conversations:{name}"))
    assert response.status_code == 200
    assert not response.cookies
    assert stranger.post(reverse(f"conversations:{name}")).status_code == 405


@once
def test_manifest_has_what_an_installation_needs(stranger):
    response = stranger.get("/manifest.webmanifest")
    assert response["Content-Type"] == "application/manifest+json"
    manifest = json.loads(response.content)
    assert manifest["id"] == manifest["scope"] == manifest["start_url"] == "/"
    icons = {(icon["sizes"], icon.get("purpose", "any")) for icon in manifest["icons"]}
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= icons
    assert manifest["share_target"]["action"] == reverse("conversations:share")


@once
def test_installed_app_and_offline_page_have_the_name_of_the_installation(
    stranger, alices, django_capture_on_commit_callbacks
):
    before = stranger.get("/service-worker.js").content
    with django_capture_on_commit_callbacks(execute=True):
        account_actions.change_installation(name="Harbour & Sons")
    manifest = json.loads(stranger.get("/manifest.webmanifest").content)
    assert manifest["name"] == manifest["short_name"] == "Harbour & Sons"
    page = stranger.get("/offline/").content.decode()
    assert one(page, "head title").string == "No connection · Harbour & Sons"
    assert one(page, "meta[name=application-name]")["content"] == "Harbour & Sons"
    frame = one(page, "template#offline-frame").decode_contents()
    assert words(one(frame, ".sidebar__brand")) == "Harbour & Sons"
    assert stranger.get("/service-worker.js").content != before


@once
def test_every_page_links_the_manifest(stranger, alices):
    for page in (stranger.get("/sign-in/"), alices.get("/?list"), stranger.get("/nowhere/")):
        assert values(page, "head link[rel=manifest]", "href") == ["/manifest.webmanifest"]


@once
def test_service_worker_is_revalidated_and_has_root_scope(stranger):
    response = stranger.get("/service-worker.js")
    assert response["Content-Type"].startswith("text/javascript")
    assert response["Cache-Control"] == "no-cache"
    assert response["Service-Worker-Allowed"] == "/"
    assert "worker-src 'self'" in response["Content-Security-Policy"]


def kept_by(script: str) -> dict[str, Any]:
    found = re.search(r"const \{ version, page, files, leave \} = (.*);", script)
    assert found
    kept: dict[str, Any] = json.loads(found[1])
    return kept


@once
def test_service_worker_caches_the_offline_page_and_its_files(stranger):
    script = stranger.get("/service-worker.js").content.decode()
    kept = kept_by(script)
    page = stranger.get(kept["page"]).content.decode()
    named = [*values(page, "link[href]", "href"), *values(page, "script[src]", "src")]
    modules = json.loads(one(page, "script[type=importmap]").string)["imports"]
    templates = {f"{url}?offline" for url in script_templates.urls()}
    assert set(kept["files"]) == {*named, *modules.values(), *templates}
    assert {"chatty/main.js", "chatty/templates.js"} <= modules.keys()
    assert all(address.endswith("?offline") for address in kept["files"])


@once
def test_service_worker_changes_with_its_offline_page(stranger, settings):
    before = stranger.get("/service-worker.js").content
    assert stranger.get("/service-worker.js").content == before
    settings.LANGUAGE_CODE = "de"
    assert stranger.get("/service-worker.js").content != before


@once
def test_offline_page_has_a_frame_for_saved_messages_without_user_data(stranger, alices):
    """It is the same for everyone, but for the nonce of its import map."""
    pages = [each.get("/offline/").content.decode() for each in (stranger, alices)]
    theirs, mine = (re.sub(r'nonce="[^"]+"', "", page) for page in pages)
    assert theirs == mine
    assert pages[0] != pages[1]
    frame = one(theirs, "template#offline-frame")
    for place in ("#sidebar #conversations", "#messages #newest", "form#composer", "#app-data"):
        assert one(frame, place)
    assert not frame.select("[name=csrfmiddlewaretoken]")
    assert not frame.select(".message")


@once
def test_without_offline_reading_the_offline_page_is_only_a_card(stranger, settings):
    settings.OFFLINE_READING = False
    page = stranger.get("/offline/").content.decode()
    assert one(page, ".card h1").get_text() == "No connection"
    assert "template" not in page
    assert "importmap" not in page
    kept = kept_by(stranger.get("/service-worker.js").content.decode())
    assert not any("main" in file for file in kept["files"])


@pytest.mark.parametrize("is_on", [True, False])
@once
def test_pages_say_whether_messages_may_be_kept(is_on, alices, settings):
    settings.OFFLINE_READING = is_on
    data = json.loads(one(alices.get("/?list"), "script#app-data").string)
    assert data["offline_reading"] is is_on


# --- sharing ---------------------------------------------------------------------------------------


def test_share_page_shows_the_text_once_and_active_conversations(alices, alice, bob):
    kept = actions.create_conversation(alice, name="Harbour")
    old = actions.create_conversation(alice, name="Old")
    actions.archive(alice, old.pk)
    given = {"title": "A boat", "text": "Look: https://boat.example", "url": "https://boat.example"}
    page = alices.get("/share/", given)
    assert page.context["shared"] == "A boat\nLook: https://boat.example"
    assert values(page, "[formaction]", "formaction") == [f"/c/{kept.pk}/"]


@once
def test_share_survives_the_sign_in(stranger, alice):
    response = stranger.get("/share/", {"text": "a & b"})
    assert response.status_code == 302
    assert response["Location"] == "/sign-in/?next=/share/%3Ftext%3Da%2B%2526%2Bb"


@once
def test_sharing_nothing_shows_a_hint(alices):
    assert "Nothing to share" in alices.get("/share/").content.decode()


def test_shared_text_is_put_in_the_composer_but_not_sent(alices, alice, pair):
    given = '</textarea><script>alert("x")</script>'
    page = one(alices.get(f"/c/{pair.pk}/", {"text": given}), "form#composer[data-shared]")
    assert one(page, "textarea[name=body]").get_text() == given
    assert not page.select("script")
    assert not pair.messages.filter(kind="text").exists()


# --- notification levels -----------------------------------------------------------------------------


def test_notification_settings_list_the_level_of_each_conversation(alices, alice, bob, pair):
    direct = actions.open_direct(alice, bob.pk)
    say(bob, direct)
    actions.set_level(alice, pair.pk, "nothing")
    actions.set_level(alice, direct.pk, "mentions")
    page = one(alices.get("/settings/notifications/"), "main")
    # A direct message has only two levels: all or nothing.
    assert values(page, f"#level-{direct.pk} option") == ["all", "nothing"]
    assert values(page, f"#level-{direct.pk} [selected]") == ["all"]
    assert values(page, f"#level-{pair.pk} option") == ["all", "mentions", "nothing"]
    assert values(page, f"#level-{pair.pk} [selected]") == ["nothing"]
    form = one(page, f'form:has(> [id="level-{pair.pk}"])')
    (back,) = values(form, "[name=next]")
    answer = alices.post(form["action"], {"level": "mentions", "next": back})
    assert answer.headers["Location"] == back == "/settings/notifications/#levels"
    assert Membership.objects.get(user=alice, conversation=pair).level == "mentions"


@once
def test_direct_message_offers_all_or_nothing():
    group = LevelForm(level="mentions", is_direct=False)
    assert [value for value, _ in group.fields["level"].choices] == Membership.Level.values
    direct = LevelForm(level="mentions", is_direct=True)
    assert [value for value, _ in direct.fields["level"].choices] == ["all", "nothing"]
    assert direct.initial == {"level": "all"}


def test_unmuting_brings_the_former_level_back(alices, alice, api_of, pair):
    def level() -> str:
        return Membership.objects.get(user=alice, conversation=pair).level

    for former in ("mentions", "all"):
        actions.set_level(alice, pair.pk, former)
        for _ in range(2):
            actions.set_level(alice, pair.pk, "nothing")
        form = one(alices.get(f"/c/{pair.pk}/"), "form[data-toggle=level]")
        assert values(form, "[name=level]") == ["unmuted"]
        for _ in range(2):
            alices.post(form["action"], {"level": "unmuted"})
            assert level() == former
    # In the API, and of a conversation that was muted by a process of the previous version.
    Membership.objects.update(level="nothing", former_level="all")
    url = reverse("api:level", args=[pair.pk])
    answer = api_of(alice).patch(url, {"level": "unmuted"}, content_type="application/json")
    assert answer.json()["level"] == "all"


@pytest.mark.parametrize(
    ("level", "body", "quiet", "called"),
    [
        ("all", "Hello", False, False),
        ("mentions", "Hello", True, False),
        ("mentions", "@Alice", False, True),
        ("nothing", "@Alice", True, True),
    ],
)
def test_list_mutes_conversations_by_level(level, body, quiet, called, alices, alice, bob, pair):
    actions.set_level(alice, pair.pk, level)
    message = say(bob, pair, body)
    page = alices.get("/?list")
    row = one(page, f'li[data-conversation="{pair.pk}"]')
    assert ("row--muted" in row["class"], "row--mentioned" in row["class"]) == (quiet, called)
    (data,) = json.loads(one(page, "script#app-data").string)["conversations"]
    assert (data["level"], data["mentions"]) == (level, [message.seq] if called else [])


def test_mention_is_highlighted_only_for_the_mentioned(alices, client, alice, bob, pair):
    message = say(bob, pair, "@Alice, look")
    bobs = Client()
    bobs.force_login(bob)
    for client, is_marked in ((alices, True), (bobs, False)):
        article = one(client.get(f"/c/{pair.pk}/"), f"article#m{message.pk}")
        assert ("message--mentioned" in article["class"]) is is_marked
