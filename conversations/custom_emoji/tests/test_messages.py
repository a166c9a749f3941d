"""Custom emoji in messages and reactions, also after they were renamed and removed."""

from __future__ import annotations

import pytest
from django.test import Client

from conversations import actions, markdown, wire
from conversations.custom_emoji import actions as emoji_actions
from conversations.custom_emoji import queries
from conversations.custom_emoji.tests.conftest import animation, picture
from conversations.emoji import picture_html
from conversations.models import Reaction
from conversations.tests.helpers import new_key, raises_chat_error, say
from tests.html import one, parse, values

pytestmark = pytest.mark.django_db


@pytest.fixture
def cat(alice, add):
    return add(alice)


def drawn(emoji) -> str:
    return picture_html(str(emoji), emoji.picture_id)


def test_name_in_a_message_is_a_picture_and_stays_text_elsewhere(alice, pair, cat):
    message = say(alice, pair, "Look: :blobcat: `:blobcat:` :nope:")
    picture = drawn(cat)
    assert message.html == f"<p>Look: {picture} <code>:blobcat:</code> :nope:</p>"
    assert message.excerpt == "Look: :blobcat: :blobcat: :nope:"
    edited = actions.edit_message(alice, message.pk, "**:blobcat:**")
    assert edited.html == f"<p><strong>{picture}</strong></p>"
    assert edited.renderer == markdown.VERSION


def test_message_of_only_emoji_is_larger(alice, pair, cat):
    assert say(alice, pair, ":blobcat: 🎉").html.startswith('<p class="only-emoji"><img')
    assert say(alice, pair, ":blobcat: yes").html.startswith("<p><img")


def test_animation_is_still_for_people_who_want_it(alice, pair, add):
    dancing = add(alice, "dancing", animation())
    html = say(alice, pair, ":dancing:").html
    assert f'srcset="/emoji/{dancing.picture_id}/still/"' in html
    assert 'media="(prefers-reduced-motion: reduce)"' in html


def test_name_beside_a_mention(alice, bob, pair, cat):
    message = say(alice, pair, ":blobcat: @Bob :blobcat: bob@example.org")
    assert message.mentions == [bob.pk]
    assert message.html.count(drawn(cat)) == 2
    assert f'<span class="mention" data-people="{bob.pk}">@Bob</span>' in message.html


def test_too_many_pictures_are_left_out_rather_than_the_formatting(alice, pair, cat, monkeypatch):
    monkeypatch.setattr("conversations.limits.HTML_MAX", 300)
    html = say(alice, pair, "**a** " + ":blobcat: " * 5).html
    assert html == "<p><strong>a</strong> " + " ".join([":blobcat:"] * 5) + "</p>"


def test_texts_without_names_look_nothing_up(alice, pair, cat, django_assert_num_queries):
    content = actions.Draft(
        alice.pk, pair.pk, new_key(), actions.sending.Content("At 10:30: **yes**")
    )
    queries.forget()
    with django_assert_num_queries(0):
        assert actions.render_draft(content).rendered.html
    assert markdown.is_quick("At 10:30: **yes**")
    assert not markdown.is_quick("At :blobcat:")  # so that no event loop waits for the database


def test_old_messages_and_reactions_stay_when_it_is_renamed(alice, bob, pair, cat):
    message = say(alice, pair, ":blobcat:")
    actions.react(alice, message.pk, ":blobcat:")
    before, html = f":blobcat:{cat.picture_id}", message.html
    emoji_actions.rename(alice, cat.pk, "cat-blob")
    queries.forget()
    message.refresh_from_db()
    assert message.html == html
    # By every name, it is the same reaction.
    for code in (":cat-blob:", ":blobcat:", before, f":anything:{cat.picture_id}"):
        found = actions.react(bob, message.pk, code)
        assert [(each.emoji, each.count) for each in wire.message_to_wire(found).reactions] == [
            (before, 2)
        ]
    actions.unreact(bob, message.pk, f":cat-blob:{cat.picture_id}")
    assert Reaction.objects.get().user == alice
    # New ones have the new name, and both mean it in texts.
    other = actions.react(bob, say(alice, pair, "x").pk, ":blobcat:")
    assert wire.message_to_wire(other).reactions[0].emoji == f":cat-blob:{cat.picture_id}"
    assert actions.edit_message(alice, message.pk, ":blobcat: !").html.count("<img") == 1
    assert say(alice, pair, ":cat-blob:").html.count("<img") == 1


def test_removed_one_stays_where_it_is_and_can_not_be_used_again(alice, bob, pair, cat):
    message = say(alice, pair, ":blobcat:")
    actions.react(alice, message.pk, ":blobcat:")
    code = f":blobcat:{cat.picture_id}"
    emoji_actions.remove(alice, cat.pk)
    queries.forget()
    for each in (":blobcat:", code):
        with raises_chat_error("invalid"):
            actions.react(bob, message.pk, each)
    assert say(bob, pair, ":blobcat:").html == "<p>:blobcat:</p>"
    page = Client()
    page.force_login(bob)
    shown = page.get(f"/c/{pair.pk}/")
    assert values(shown, ".chip img, .message__body img", "alt") == [":blobcat:"] * 2
    assert page.get(f"/emoji/{cat.picture_id}/").status_code == 200
    # People who have reacted with it can take that back.
    assert wire.message_to_wire(actions.unreact(alice, message.pk, code)).reactions == []


def test_another_emoji_by_the_name_of_a_removed_one_is_another_reaction(alice, bob, pair, cat, add):
    message = say(alice, pair, "Hi")
    actions.react(alice, message.pk, ":blobcat:")
    emoji_actions.remove(alice, cat.pk)
    other = add(bob, "blobcat", picture(colour="blue"))
    found = actions.react(bob, message.pk, ":blobcat:")
    assert [each.emoji for each in wire.message_to_wire(found).reactions] == [
        f":blobcat:{cat.picture_id}",
        f":blobcat:{other.picture_id}",
    ]


@pytest.mark.parametrize("emoji", [":nope:", ":", "::", ":no", ":nope:s123", f":nope:s{'0' * 20}"])
def test_unknown_emoji_is_no_reaction(emoji, alice, pair, cat):
    message = say(alice, pair, "Hi")
    with raises_chat_error("invalid") as raised:
        actions.react(alice, message.pk, emoji)
    assert set(raised.value.fields) == {"emoji"}


def test_reacting_on_the_page_of_a_message(alice, bob, pair, cat):
    message = say(alice, pair, "Hi")
    browser = Client()
    browser.force_login(bob)
    react = f"/m/{message.pk}/react/"
    assert browser.post(react, {"emoji": ":blobcat:", "on": "1"}).status_code == 303
    page = browser.get(f"/m/{message.pk}/?actions")
    button = one(page, f'button[value=":blobcat:{cat.picture_id}"]')
    assert button["aria-pressed"] == "true"
    assert button.img["alt"] == ":blobcat:"
    refused = browser.post(react, {"emoji": ":nope:", "on": "1"})
    assert refused.status_code == 400
    assert "There is no custom emoji with this name." in str(parse(refused))
    assert browser.post(react, {"emoji": button["value"], "on": "0"}).status_code == 303
    assert not Reaction.objects.exists()
