"""The month of messages that `manage.py demo` creates."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from django.db.models import Count, F, Max, Min
from django.utils import timezone

from accounts.models import User
from conversations import queries
from conversations.management.demo.people import CAST, EMAILS
from conversations.models import Conversation, Message, Reaction

# One worker creates the month for all tests.
pytestmark = [pytest.mark.once, pytest.mark.long]


def demo() -> str:
    output = io.StringIO()
    call_command("demo", stdout=output)
    return output.getvalue()


@pytest.fixture(scope="module")
def month(django_db_setup, django_db_blocker):
    """The output of the command. It takes seconds, so all tests here share the same month."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield demo()
        transaction.set_rollback(True)


def test_demo_covers_a_month(month, db):
    assert User.objects.filter(email__in=EMAILS).count() == len(CAST) == 8
    talk = Message.objects.filter(kind="text")
    assert talk.count() > 400
    kinds = {(row.kind, row.access, row.is_archived) for row in Conversation.objects.all()}
    assert kinds == {
        ("group", "open", False),
        ("group", "open", True),
        ("group", "closed", False),
        ("direct", "closed", False),
    }
    when = talk.aggregate(first=Min("created_at"), last=Max("created_at"))
    now = timezone.now()
    assert timedelta(days=24) < now - when["first"] < timedelta(days=34)
    assert timedelta(0) <= now - when["last"] < timedelta(hours=2)
    assert talk.values("author").distinct().count() == 8


def test_demo_has_every_kind_of_message(month, db):
    talk = Message.objects.filter(kind="text")
    assert talk.filter(reply_to__isnull=False).count() >= 5
    assert talk.filter(edited_at__isnull=False).count() >= 3
    assert talk.filter(deleted_at__isnull=False).count() >= 3
    assert Reaction.objects.count() > 200
    for mark in ("<pre ", "<ul>", "<ol>", "<blockquote>", "<a ", "<strong>", "<em>"):
        assert talk.filter(html__contains=mark).exists(), mark
    bodies = list(talk.values_list("body", flat=True))
    assert any(re.search("[\u0590-\u05ff]", body) for body in bodies), "Hebrew"
    assert any(re.search("[\u0600-\u06ff]", body) for body in bodies), "Arabic"
    assert any(re.search("[\u3040-\u30ff]", body) for body in bodies), "Japanese"
    assert "🐈🧈" in bodies
    assert max(map(len, bodies)) > 1000
    assert {"created", "joined", "added", "renamed", "role", "archived"} <= set(
        Message.objects.values_list("kind", flat=True)
    )


def test_demo_counters_are_consistent(month, db):
    rows = Conversation.objects.annotate(
        said=Count("messages"), top=Max("messages__version"), last=Max("messages__seq")
    )
    assert rows.count() > 10
    for row in rows:
        assert (row.said, row.last, row.top) == (row.last_seq, row.last_seq, row.version), row
        texts = row.messages.filter(kind="text")
        assert row.last_text_at == texts.aggregate(at=Max("created_at"))["at"]
        times = list(row.messages.order_by("seq").values_list("created_at", flat=True))
        assert times == sorted(times)
        assert times[-1] <= timezone.now()


def test_edits_deletions_and_reactions_follow_their_messages(month, db):
    assert not Message.objects.filter(edited_at__lt=F("created_at")).exists()
    assert not Message.objects.filter(deleted_at__lt=F("created_at")).exists()
    assert not Reaction.objects.filter(created_at__lt=F("message__created_at")).exists()
    assert not Reaction.objects.filter(created_at__gt=timezone.now()).exists()


def test_demo_member_has_few_unread_messages(month, db):
    mara = User.objects.get(email="mara@demo.example")
    unread = {row.name: row.unread for row in queries.sidebar(mara)}
    assert 0 < sum(unread.values()) < 30
    assert unread["Design corner"] == 0


def test_demo_prints_one_password_for_all_accounts(month, db):
    password = re.search(r"Password for all of them: (\S+)", month)[1]
    assert all(user.check_password(password) for user in User.objects.filter(email__in=EMAILS))
    for person in CAST:
        assert person.email in month


def test_second_run_changes_nothing(month, db):
    before = Message.objects.count(), User.objects.count(), Conversation.objects.count()
    assert demo() == "The demo has already been added.\n"
    assert (Message.objects.count(), User.objects.count(), Conversation.objects.count()) == before
