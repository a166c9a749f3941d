"""Adding, renaming and removing custom emoji: who can, which names, how many."""

from __future__ import annotations

import pytest

from accounts import installation
from chatty.common import kept
from conversations.custom_emoji import actions, limits, queries, rules
from conversations.custom_emoji.models import CustomEmoji, EmojiPicture
from conversations.custom_emoji.tests.conftest import picture
from conversations.tests.helpers import new_key, raises_chat_error

pytestmark = pytest.mark.django_db


def test_same_key_adds_once(alice):
    key, red = new_key(), picture()
    emoji, is_new = actions.add(alice, key=key, name=":Party-Blobcat:", picture=red)
    assert (emoji.name, emoji.added_by, is_new) == ("party-blobcat", alice, True)
    again, is_new = actions.add(alice, key=key, name="party-blobcat", picture=red)
    assert (again, is_new) == (emoji, False)
    with raises_chat_error("key_reused"):
        actions.add(alice, key=key, name="other", picture=red)
    assert CustomEmoji.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("", "empty"), ("::", "empty"), ("x" * (limits.NAME_MAX + 1), "too_long")),
        *((name, "invalid") for name in ("x", "a b", "_ab", "ab_", "ä", "a:b", "--", "a\x00b")),
        *((name, "invalid") for name in ("smile", "+1", "thumbsup", "grinning_face")),
    ],
)
def test_bad_names_are_refused(name, code, alice):
    with raises_chat_error(code) as raised:
        actions.add(alice, key=new_key(), name=name, picture=picture())
    assert set(raised.value.fields) == {"name"}
    assert not EmojiPicture.objects.exists()


@pytest.mark.parametrize("name", ["ok2", "+2", "a_b", "x" * limits.NAME_MAX, "1-2"])
def test_names_that_are_allowed(name, alice, add):
    assert add(alice, name).name == name


def test_name_is_taken_until_the_emoji_is_removed(alice, bob, add):
    emoji = add(alice)
    with raises_chat_error("invalid"):
        add(bob)
    actions.remove(alice, emoji.pk)
    assert add(bob).pk != emoji.pk


@pytest.mark.parametrize(
    ("file", "name"),
    [
        *(("Party Blobcat.gif", "party_blobcat"), ("C:\\pics\\Fire!!.PNG", "fire")),
        *(("a/b/c-d.webp", "c-d"), ("ü.png", ""), ("", ""), ("_x_.png", "x")),
    ],
)
def test_name_of_a_file(file, name):
    assert rules.name_of_file(file) == name


def test_only_administrators_can_add_if_the_installation_says_so(alice, root, add, settings):
    settings.CUSTOM_EMOJI = "administrators"
    with raises_chat_error("not_allowed"):
        add(alice)
    assert add(root).added_by == root
    settings.CUSTOM_EMOJI = ""
    installation.forget()
    assert add(alice, "other").added_by == alice


def test_who_added_it_and_administrators_can_change_it(alice, bob, root, add):
    emoji = add(alice)
    for change in (
        lambda: actions.rename(bob, emoji.pk, "other"),
        lambda: actions.remove(bob, emoji.pk),
    ):
        with raises_chat_error("not_allowed"):
            change()
    assert actions.rename(alice, emoji.pk, "blobcat2").name == "blobcat2"
    assert actions.rename(root, emoji.pk, "blobcat3").former_names == ["blobcat", "blobcat2"]
    actions.remove(root, emoji.pk)
    emoji.refresh_from_db()
    assert (emoji.removed_by, emoji.removed_at is None) == (root, False)
    for change in (
        lambda: actions.rename(root, emoji.pk, "x2"),
        lambda: actions.remove(root, emoji.pk),
    ):
        with raises_chat_error("not_found"):
            change()


def test_renaming_back_and_to_a_taken_name(alice, add):
    emoji, other = add(alice), add(alice, "other", picture(colour="blue"))
    with raises_chat_error("invalid"):
        actions.rename(alice, emoji.pk, "other")
    assert actions.rename(alice, emoji.pk, "blobcat").former_names == []
    actions.rename(alice, emoji.pk, "birdy")
    assert actions.rename(alice, emoji.pk, "blobcat").former_names == ["birdy"]
    assert actions.rename(alice, other.pk, "birdy").name == "birdy"
    queries.forget()
    assert queries.Source().names() == {
        "blobcat": emoji.picture_id,
        "other": other.picture_id,
        "birdy": other.picture_id,
    }


def test_number_and_rate_are_limited(alice, add, monkeypatch, settings):
    add(alice)
    monkeypatch.setattr(limits, "EMOJI_MAX", 1)
    with raises_chat_error("too_many"):
        add(alice, "other")
    monkeypatch.setattr(limits, "EMOJI_MAX", 100)
    settings.LIMITS = {**settings.LIMITS, "custom_emoji": "2/h"}
    add(alice, "other")
    add(alice, "third")  # the one that was refused doesn't count
    with raises_chat_error("slow_down"):
        add(alice, "fourth")


def test_deleted_picture_is_gone_and_can_not_be_added_again(alice, root, add):
    emoji, same = add(alice), add(alice, "same")
    actions.delete_picture(root, emoji.pk)
    queries.forget()
    assert not queries.usable().exists()
    assert CustomEmoji.objects.get(pk=same.pk).removed_by == root
    with raises_chat_error("not_found"):
        queries.image(emoji.picture_id, still=False)
    with raises_chat_error("not_allowed"):
        add(alice, "again")


def test_change_is_known_at_once_here_and_within_a_second_elsewhere(
    alice, add, django_capture_on_commit_callbacks, django_assert_num_queries, monkeypatch
):
    source = queries.Source()
    assert source.names() == {}
    with django_capture_on_commit_callbacks(execute=True):
        emoji, _new = actions.add(alice, key=new_key(), name="blobcat", picture=picture())
    with django_assert_num_queries(1):
        for _ in range(3):
            assert source.names() == {"blobcat": emoji.picture_id}
            assert source.present_names() == {emoji.picture_id: "blobcat"}
    CustomEmoji.objects.filter(pk=emoji.pk).update(name="birdy")  # in another process
    now = queries._known._kept[0]
    monkeypatch.setattr("chatty.common.kept.time.monotonic", lambda: now + kept.KEEP_SECONDS + 1)
    assert source.names() == {"birdy": emoji.picture_id}
