"""Mentions: found when a message is stored, sent with it, and counted while it is unread."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from accounts import actions as account_actions
from conversations import actions, limits, mentions, queries
from conversations.content import Content, Rendered, render
from conversations.events import MembershipChanged
from conversations.models import Message
from conversations.tests.helpers import draft, message_json, say
from tests.cast import create_extra
from tests.golden import files

PEOPLE = [
    (1, "Ada"),
    (2, "Ada Lovelace"),
    (3, "Sam Hill"),
    (4, "Sam Sun"),
    (5, "Sam Sun"),
    (6, "Émile Zola"),
    (7, "李明"),
    (8, "bob_smith"),
    (9, "Straße"),
    (10, "*Star* Anna"),
    (11, "🦊 Fox"),
]


def meant(body: str) -> list[int]:
    found = mentions.MemberNames(PEOPLE).find(render(Content(body)).calls)
    return found.ids if found else []


def chips(body: str) -> str:
    """Return the HTML of a message to these people, with the mentions as [ids:text]."""
    rendered = render(Content(body))
    found = mentions.MemberNames(PEOPLE).find(rendered.calls)
    assert found
    html = mentions.with_chips(rendered.html, rendered.marked, rendered.words, found.names)
    return re.sub(r'<span class="mention" data-people="([\d ]+)">(.*?)</span>', r"[\1:\2]", html)


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ("@Ada, look", [1]),
        ("@ada lovelace and @EMILE", [2]),
        ("@émile?", [6]),
        ("(@Ada Lovelace's)", [2]),
        ("@Ada Lovelacement", [1]),
        ("@Adam", []),
        ("@Sam", [3, 4, 5]),
        ("@Sam Sun", [4, 5]),
        ("@Sam Hill @Ada @Sam Hill", [3, 1]),
        ("**@Ada** and @*Sam* Hill", [1, 3]),
        ("@李明 你好", [7]),
        ("@bob_smith", [8]),
        ("@STRASSE", [9]),
        (r"@\*Star\* Anna and @🦊 Fox!", [10, 11]),
        ("Ada, look", []),
        ("write to me@ada.example or sam@ada", []),
        ("@@Ada, me/@Ada, me+@Ada, me-@Ada", []),
        ("Thanks.@Ada", [1]),
        ("＠Ada and@Sam", [1]),
        ("こんにちは@李明さん、@Adaさん", [7, 1]),
        ("@李明月", [7]),
        ("@Ada-Marie @ada@other.example @Ada_M @Ada@Sam", []),
        (r"\@Ada and \@李明, C:\@Ada", []),
        ("@Ada- and @Ada@ and @Ada's and @Ada.", [1]),
        ("[@Ada] and @Sam Hills, @Sam Hi", [1, 3, 4, 5]),
        ("https://example.org/@ada", []),
        ("@ Ada", []),
        ("`@Ada` is code", []),
        ("```\n@Ada\n```\nbut @Sam Hill", [3]),
        ("> @Ada said\n\n@Sam Hill?", [3]),
        ("@Sam\nSun", [3, 4, 5]),
        ("&#64;Ada <b>@Sam Hill</b>", [3]),
        ("https://example.org/?by=@Ada and <https://example.org/?by=@Ada>", []),
        (
            "[@Ada](https://example.org/?by=@Sam) and [https://example.org/?by=@Sam](https://a.b)",
            [1],
        ),
        ("[@Ada](/here@Sam), ![@Sam Hill](https://example.org/x)", [1, 3]),
        ("> @Ada\n\n@Sam Hill\n\n> > @Ada\n>\n> @Ada", [3]),
        ("1. @Ada\n   - @Sam Hill\n   - `@Sam`", [1, 3]),
        ("<b>@Ada</b>\n\n```\n@Sam\n```", [1]),
    ],
)
def test_at_sign_and_name_mention_the_member(body: str, ids: list[int]) -> None:
    assert meant(body) == ids


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("@Ada, look", "<p>[1:@Ada], look</p>"),
        ("Hi @ADA lovelace!", "<p>Hi [2:@ADA lovelace]!</p>"),
        ("@Sam sun\n@nobody ＠STRASSE", "<p>[4 5:@Sam sun]<br>\n@nobody [9:＠STRASSE]</p>"),
        ("**@Ada** `@Ada`", "<p><strong>[1:@Ada]</strong> <code>@Ada</code></p>"),
        (
            "me@ada.example, @Ada",
            '<p><a href="mailto:me@ada.example">me@ada.example</a>, [1:@Ada]</p>',
        ),
        (
            "https://example.org/@ada @Ada\n> @Ada",
            (
                '<p><a href="https://example.org/@ada">https://example.org/@ada</a> [1:@Ada]</p>\n'
                "<blockquote>\n<p>@Ada</p>\n</blockquote>"
            ),
        ),
        (
            "[@Ada https://example.org/@ada](https://example.org) \\@Ada",
            '<p><a href="https://example.org">[1:@Ada] https://example.org/@ada</a> @Ada</p>',
        ),
        (r"@\*Star\* Anna & @🦊 Fox!", "<p>[10:@*Star* Anna] &amp; [11:@🦊 Fox]!</p>"),
        ("@Ada **Lovelace**, @Ada", "<p>@Ada <strong>Lovelace</strong>, [1:@Ada]</p>"),
        ("@**Ada** and @Ada", "<p>@<strong>Ada</strong> and [1:@Ada]</p>"),
        ("a.\n\n@Ada.", "<p>a.</p>\n<p>[1:@Ada].</p>"),
    ],
)
def test_names_of_mentioned_members_are_elements(body: str, html: str) -> None:
    assert chips(body).replace(' rel="noopener noreferrer nofollow ugc"', "") == html


def test_stored_html_has_the_mentions_of_the_message(alice, bob, pair):
    message = say(alice, pair, "@Bob and @Carol")
    chip = f'<span class="mention" data-people="{bob.pk}">@Bob</span>'
    assert message.html == f"<p>{chip} and @Carol</p>"
    edited = actions.edit_message(alice, message.pk, "**Now** @Bob")
    assert edited.html == f"<p><strong>Now</strong> {chip}</p>"


def test_number_of_mentions_is_limited() -> None:
    crowd = [(number, f"P{number}") for number in range(1, 100)]
    calls = mentions.find_calls(" ".join(f"@{name}" for _, name in crowd))
    found = mentions.MemberNames(crowd).find(calls)
    assert found
    assert found.ids == list(range(1, limits.MENTIONS_MAX + 1))
    everyone = mentions.MemberNames((pk, "All") for pk, _ in crowd).find(["all"])
    assert everyone
    assert everyone.ids == list(range(1, 51))


def test_message_lists_the_members_it_mentions(alice, bob, carol, pair):
    assert message_json(say(alice, pair, "@Bob @Carol @Alice"))["mentions"] == [bob.pk, alice.pk]
    assert message_json(say(alice, pair, "Nobody"))["mentions"] == []
    # SQL's NULL, not JSON's: the partial index of mentions depends on it.
    assert Message.objects.filter(mentions__isnull=False).count() == 1


def test_each_message_of_a_batch_mentions_only_members_of_its_conversation(
    alice, bob, carol, pair, open_group
):
    actions.join(carol, open_group.pk)
    drafts = [
        draft(alice.pk, pair.pk, "one", "@Bob @Carol"),
        draft(alice.pk, open_group.pk, "two", "@Bob @Carol"),
        draft(alice.pk, pair.pk, "three", "quiet"),
    ]
    sent = actions.send_messages(drafts)
    assert [each.message.mentions for each in sent] == [[bob.pk], [carol.pk], None]


def test_non_ascii_names_match_case_insensitively(alice, pair):
    emile = create_extra("Émile")
    actions.add_members(alice, pair.pk, [emile.pk])
    assert say(alice, pair, "@émile").mentions == [emile.pk]
    assert say(alice, pair, "@ÉMILE").mentions == [emile.pk]


@pytest.mark.parametrize("first", ["'", '"', "\\", "%", "{", ",", "\U0001d400"])
def test_names_with_special_first_characters_are_mentioned(alice, pair, first):
    member = create_extra(f"{first}x")
    actions.add_members(alice, pair.pk, [member.pk])
    # Not from Markdown, in which some of these characters would need a backslash.
    rendered = Rendered("<p></p>", "", mentions.find_calls(f"@{first}x"))
    (sent,) = actions.send_messages(
        [actions.Draft(alice.pk, pair.pk, "one", Content("x"), rendered)]
    )
    assert sent.message.mentions == [member.pk]


def test_former_member_is_not_mentioned(alice, bob, pair):
    actions.leave(bob, pair.pk)
    assert say(alice, pair, "@Bob").mentions is None


def test_deactivated_account_is_not_mentioned(alice, clive, group):
    assert say(alice, group, "@Clive").mentions is None


def test_find_mentions_takes_at_most_one_query(alice, pair, django_assert_num_queries):
    many = [(pair.pk, [chr(0x4E00 + number)]) for number in range(500)]
    with django_assert_num_queries(1):
        assert queries.find_mentions(many) == [None] * 500
    with django_assert_num_queries(0):
        queries.find_mentions([(pair.pk, [])] * 50)


def test_edit_updates_mentions_and_deletion_removes_them(alice, bob, pair):
    message = say(alice, pair, "Hello")
    assert actions.edit_message(alice, message.pk, "Hello @Bob").mentions == [bob.pk]
    assert actions.edit_message(alice, message.pk, "Hello").mentions is None
    actions.edit_message(alice, message.pk, "@Bob")
    assert actions.delete_message(alice, message.pk).mentions is None


def calls_of(user, conversation) -> list[int]:
    row = queries.sidebar_row(user, conversation.pk)
    assert row is not None
    return row.mentions


def test_unread_mentions_are_listed_until_read(alice, bob, pair):
    first = say(alice, pair, "@Bob")
    say(alice, pair, "Nothing")
    second = say(alice, pair, "@bob again")
    say(bob, pair, "@Bob that is me")
    assert calls_of(bob, pair) == [first.seq, second.seq]
    assert calls_of(alice, pair) == []
    actions.mark_read(bob, pair.pk, first.seq)
    assert calls_of(bob, pair) == [second.seq]
    actions.delete_message(alice, second.pk)
    assert calls_of(bob, pair) == []


def test_renamed_user_is_mentioned_by_the_new_name(alice, bob, pair):
    account_actions.update_profile(bob, name="Robert Roe")
    assert say(alice, pair, "@Bob").mentions is None
    assert say(alice, pair, "@robert").mentions == [bob.pk]


def test_changed_level_is_published_to_the_user(bob, pair, published):
    with published() as events:
        actions.set_level(bob, pair.pk, "mentions")
    assert events == [MembershipChanged(bob.pk, pair.pk, "level")]
    with published() as events:
        actions.set_level(bob, pair.pk, "mentions")
    assert events == []


@pytest.mark.parametrize(
    "case", files.cases_of("same_names"), ids=lambda case: " @".join(case["input"].values())
)
def test_member_is_mentioned_by_the_same_name(alice, pair, case):
    """The query for members with the first letters must not leave one out."""
    member = create_extra("Somebody")
    actions.add_members(alice, pair.pk, [member.pk])
    account_actions.update_profile(member, name=case["input"]["name"])
    named = say(alice, pair, f"Hello @{case['input']['call']}!").mentions
    assert named == ([member.pk] if case["expected"] else None)


def test_first_letters_include_every_character_that_folds_to_them():
    marks = (
        "",
        "\u0301",
        "\u0307",
        "\u0308",
        "\u030a",
        "\u030c",
        "\u0331",
        "\u0345",
        "\u0308\u0301",
    )
    missing = [
        name
        for code in range(sys.maxunicode + 1)
        if not 0xD800 <= code < 0xE000
        for mark in (("",) if unicodedata.decomposition(chr(code)) or code > 0x3000 else marks)
        for name in (unicodedata.normalize("NFC", chr(code) + mark),)
        if (folded := mentions.fold(name)) != name
        and name[0] not in mentions.first_letters(folded[0])
    ]
    assert missing == []


def test_members_are_filtered_by_first_letter_up_to_a_limit(alice, pair, django_assert_num_queries):
    letters = [chr(0x4E00 + number) for number in range(queries.MENTION_LETTERS - 1)]
    some = [(pair.pk, [letter]) for letter in [*letters, "i"]]
    with django_assert_num_queries(1) as few:
        queries.find_mentions(some)
    assert "İ" in few.captured_queries[0]["sql"]
    with django_assert_num_queries(1) as many:
        queries.find_mentions([*some, (pair.pk, ["s"])])
    assert "İ" not in many.captured_queries[0]["sql"]
