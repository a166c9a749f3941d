"""Links to conversations in messages show each reader the name that they may know."""

from __future__ import annotations

import pytest

from conversations import actions, markdown
from conversations.tests.helpers import say
from conversations.web.conversation_links import fill_names
from tests.html import one


@pytest.mark.parametrize(
    "body",
    [
        "![#Design](/c/8/)",
        "[#Design](/c/0/)",
        "[#Design](/c/08/)",
        "[#Design](/c/8)",
        "[#Design](/c/8/edit/)",
        "[#Design](//c/8/)",
        "[#Design](/c/99999999999999999999/)",
        "[Design](/c/8/)",
        "`[#Design](/c/8/)`",
    ],
)
def test_only_named_links_to_conversations_are_relative(body):
    assert "<a" not in markdown.render(body)


def test_text_of_a_link_is_what_the_author_wrote():
    parts = markdown.render_with_parser("see [#Design *&* <b>](/c/8/)!")
    assert parts.html == (
        '<p>see <a data-view="conversation_link" href="/c/8/">#Design <em>&amp;</em> &lt;b&gt;</a>!</p>'
    )
    assert parts.text == "see #Design & <b>!"


def test_names_are_filled_in_for_known_conversations_only():
    html = markdown.render(
        "[#a *b*](/c/8/) and [#private](/c/9/) and [#c](https://example.org/c/8/)"
    )
    shown = fill_names(html, {8: "Tea & <cake>", 10: "Other"})
    assert ">#Tea &amp; &lt;cake&gt;</a> and " in shown
    assert ">#private</a>" in shown
    assert ">#c</a>" in shown


def test_reader_sees_the_present_name_only_of_own_conversations(
    client, alice, bob, pair, open_group
):
    """Alice is in both conversations, Bob is not in the one that is linked."""
    say(alice, pair, f"see [#Market](/c/{open_group.pk}/)")
    actions.update_conversation(alice, open_group.pk, name="Bazaar", access="closed")

    def link(reader):
        client.force_login(reader)
        page = client.get(f"/c/{pair.pk}/")
        return one(page, ".message__body a").get_text(), "Bazaar" in page.content.decode()

    assert link(alice) == ("#Bazaar", True)
    assert link(bob) == ("#Market", False)
