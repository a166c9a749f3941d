"""What capabilities register appears in messages, in permissions and on pages."""

from __future__ import annotations

import msgspec
import pytest
from django.template import Context, engines
from django.utils.html import escape

from conversations import access, actions, capabilities, permissions, queries
from conversations.capabilities import PartRendered
from conversations.content import Content, render
from conversations.models import Membership
from conversations.permissions import Action, Grant
from conversations.tests.helpers import raises_chat_error


class ContentWithMood(Content, frozen=True):
    mood: str = ""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Forget what the test has registered."""
    monkeypatch.setattr(capabilities, "_parts", {})
    monkeypatch.setattr(permissions, "_table", dict(permissions.actions()))
    monkeypatch.setattr(capabilities, "_slots", {name: [] for name in capabilities.SLOTS})
    yield
    permissions.forget()


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
    given = {"body": "Hello", "reply_to": None, "files": (), "mood": "happy"}
    assert msgspec.structs.asdict(moody) == given


@pytest.mark.django_db
def test_an_action_is_added_for_those_who_can_do_it(alice, bob):
    group = actions.create_conversation(alice, name="Garden", member_ids=[bob.pk])
    grant = Grant(permissions.ADMINS, permissions.GROUPS)
    capabilities.register_action(Action("poll", "Start polls", (grant,)))
    owner, member = [Membership.objects.get(conversation=group, user=who) for who in (alice, bob)]
    assert "poll" in access.can(owner)
    assert "poll" not in access.can(member)
    with raises_chat_error("not_allowed"):
        access.require("poll", member)
    assert "poll" in access.words_by_role(group)["admin"]
    assert "poll" in queries.sidebar_row(alice, group.pk).can
    assert "poll" not in queries.sidebar_row(bob, group.pk).can


@pytest.mark.django_db
def test_a_setting_restricts_an_action_to_admins(alice, bob):
    group = actions.create_conversation(alice, name="Garden", member_ids=[bob.pk])
    grant = Grant(permissions.MEMBERS, permissions.GROUPS)
    capabilities.register_action(Action("poll", "Start polls", (grant,), "inviting"))
    assert "poll" not in queries.sidebar_row(bob, group.pk).can
    actions.update_conversation(alice, group.pk, inviting="everyone")
    assert "poll" in queries.sidebar_row(bob, group.pk).can


def test_two_actions_cannot_have_the_same_name():
    with pytest.raises(ValueError, match="send"):
        capabilities.register_action(Action("send", "Send", ()))


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
