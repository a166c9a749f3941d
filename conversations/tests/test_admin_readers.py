"""Administrators see what readers of the change feed have set aside, and try it again."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations.changefeed import batches
from conversations.changefeed.models import Cursor, ReaderState, SetAsideChange
from conversations.changefeed.readers import Batch
from conversations.changefeed.tests.conftest import make_notebook, no_other_readers, notebook
from conversations.tests.helpers import say
from tests.html import visible

__all__ = ["make_notebook", "no_other_readers", "notebook"]
pytestmark = pytest.mark.django_db


def post(client: Client, page: str, action: str, *rows: object) -> str:
    """Apply an action of a list to these rows and return the page that follows, as text."""
    url = reverse(f"admin:changefeed_{page}_changelist")
    data = {"action": action, "_selected_action": [getattr(row, "pk", row) for row in rows]}
    response = client.post(url, data, follow=True)
    assert response.status_code == 200
    return visible(response)


def test_a_change_that_was_set_aside_is_listed_without_words_and_tried_again(
    notebook, alice, pair, admin
):
    message = say(alice, pair, "a secret")

    def refuse(batch: Batch) -> None:
        if message.pk in [each.message_id for each in batch.messages]:
            raise ValueError("a secret")

    notebook.refuses = refuse
    notebook.read()
    (aside,) = SetAsideChange.objects.all()
    page = visible(admin.get(reverse("admin:changefeed_setasidechange_changelist")))
    assert f"{message.pk}" in page
    assert "ValueError" in page
    assert "secret" not in page
    assert "ValueError" in post(admin, "setasidechange", "try_again", aside)
    assert SetAsideChange.objects.exists()
    notebook.refuses = lambda batch: None
    assert "1 change was handled." in post(admin, "setasidechange", "try_again", aside)
    assert not SetAsideChange.objects.exists()
    assert message.pk in notebook.created


def test_a_change_that_was_set_aside_can_be_dropped(alice, pair, admin):
    aside = SetAsideChange.objects.create(reader="x", conversation_id=pair.pk, error="ValueError")
    post(admin, "setasidechange", "delete_selected", aside)
    assert SetAsideChange.objects.exists()  # it asks first
    url = reverse("admin:changefeed_setasidechange_changelist")
    data = {"action": "delete_selected", "_selected_action": [aside.pk], "post": "yes"}
    admin.post(url, data)
    assert not SetAsideChange.objects.exists()


def test_a_reader_can_be_stopped_and_continued(notebook, admin):
    batches.start(notebook.reader)
    post(admin, "readerstate", "stop", "notebook")
    assert not ReaderState.objects.get().active
    post(admin, "readerstate", "continue_reading", "notebook")
    assert ReaderState.objects.get().active


def test_cursors_that_failed_are_listed_and_tried_again(notebook, alice, pair, admin):
    cursor = Cursor.objects.create(
        reader="notebook",
        source="conversation",
        subject_id=pair.pk,
        failures=10,
        error="The process ended while it worked on this.",
        set_aside_at=timezone.now(),
    )
    page = visible(admin.get(reverse("admin:changefeed_cursor_changelist")))
    assert "The process ended" in page
    post(admin, "cursor", "try_again", cursor)
    cursor.refresh_from_db()
    assert (cursor.set_aside_at, cursor.failures) == (None, 0)


def test_only_those_who_may_change_readers_can(client, bob, notebook):
    bob.is_staff = True
    bob.save()
    client.force_login(bob)
    url = reverse("admin:changefeed_readerstate_changelist")
    assert client.get(url).status_code == 403
