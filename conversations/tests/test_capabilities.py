"""What capabilities register appears in messages, in permissions and on pages."""

from __future__ import annotations

import msgspec
import pytest
from django.template import Context, engines
from django.utils.html import escape

from conversations import access, actions, capabilities
from conversations.capabilities import PartRendered
from conversations.content import Content, render
from conversations.models import Membership


class ContentWithMood(Content, frozen=True):
    mood: str = ""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Forget what the test has registered."""
    monkeypatch.setattr(capabilities, "_parts", {})
    monkeypatch.setattr(capabilities, "_permissions", {})
    monkeypatch.setattr(capabilities, "_slots", {name: [] for name in capabilities.SLOTS})


def render_mood(value: str) -> PartRendered:
    return PartRendered(f"<p>{escape(value)}</p>", value)


def test_a_part_is_rendered_after_the_body_unless_it_has_its_default():
    capabilities.register_part("mood", render_mood)
    rendered = render(ContentWithMood("Hello @Bob", mood="<happy> @Ada"))
    assert rendered.html == "<p>Hello @Bob</p><p>&lt;happy&gt; @Ada</p>"
    assert rendered.text == "Hello @Bob\n<happy> @Ada"
    # What a part is called mentions no one.
    assert rendered.calls == render(ContentWithMood("Hello @Bob")).calls
    assert render(ContentWithMood("Hello")).html == "<p>Hello</p>"


def test_a_part_has_a_fingerprint_only_if_it_was_given():
    plain, moody = Content("Hello"), ContentWithMood("Hello", mood="happy")
    assert ContentWithMood("Hello").fingerprint(1, "s") == plain.fingerprint(1, "s")
    assert moody.fingerprint(1, "s") != plain.fingerprint(1, "s")
    assert msgspec.structs.asdict(moody) == {"body": "Hello", "reply_to": None, "mood": "happy"}


@pytest.mark.django_db
def test_a_permission_is_added_for_those_who_have_it(alice, bob):
    group = actions.create_conversation(alice, name="Garden", member_ids=[bob.pk])
    capabilities.register_permission("pin", access.can_manage)
    owner, member = [Membership.objects.get(conversation=group, user=who) for who in (alice, bob)]
    assert "pin" in access.permissions(owner)
    assert "pin" not in access.permissions(member)
    assert "pin" in access.permissions_by_role(group)["admin"]


def test_a_slot_shows_what_is_registered_for_it_with_the_context_of_the_page(tmp_path, monkeypatch):
    engine = engines["django"].engine
    (tmp_path / "tool.html").write_text("<a>{{ current_page }}</a>")
    monkeypatch.setattr(engine, "dirs", [*engine.dirs, tmp_path])
    for loader in engine.template_loaders:
        loader.reset()
    template = engine.from_string('{% load chatty %}[{% slot "sidebar-tools" %}]')
    assert template.render(Context({"current_page": "<home>"})) == "[]"
    capabilities.register_slot("sidebar-tools", "tool.html")
    assert template.render(Context({"current_page": "<home>"})) == "[<a>&lt;home&gt;</a>]"


def test_an_unknown_slot_is_an_error():
    with pytest.raises(KeyError):
        capabilities.register_slot("nowhere", "tool.html")
