"""Dates and times on pages: in the reader's zone, with 12 or 24 hours as they have chosen."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation

from conversations.models import Message
from conversations.tests.helpers import say
from conversations.web.moments import full_text, short_text
from tests.html import one, parse, words

AT = datetime(2026, 11, 23, 15, 38, tzinfo=UTC)
TEMPLATES = Path(settings.BASE_DIR) / "templates"


@pytest.mark.parametrize(
    ("language", "time_format", "text"),
    [
        ("en", "language", "23 November 2026, 16:38"),
        ("en", "12", "23 November 2026, 4:38 pm"),
        ("en", "24", "23 November 2026, 16:38"),
        ("de", "12", "23. November 2026, 4:38 pm"),
    ],
)
def test_full_text(language, time_format, text):
    with timezone.override("Europe/Stockholm"), translation.override(language):
        assert full_text(AT, time_format) == text


@pytest.mark.parametrize(
    ("today", "text"),
    [
        (date(2026, 11, 23), "3:38 pm"),
        (date(2026, 11, 24), "Yesterday"),
        (date(2026, 11, 26), "Mon"),
        (date(2027, 11, 22), "23 Nov"),
        (date(2027, 11, 23), "23/11/2026"),
    ],
)
def test_short_text(today, text):
    with timezone.override("UTC"):
        assert short_text(AT, today, "12") == text


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_no_template_has_a_time_format_of_its_own(path):
    """Dates may be formatted with `date`, times with `moment` or `clock`. The admin site has ISO dates."""
    if "admin" not in path.parts:
        assert not re.findall(r"\|(?:time\b|date:[^}]*\b(?:H|G|h|g|P):?)", path.read_text())


@pytest.mark.django_db
def test_pages_follow_the_choice(alice, bob, pair):
    alice.time_format, alice.time_zone = "12", "UTC"
    alice.save()
    bob.status_text, bob.status_until, bob.time_zone = (
        "Away",
        datetime(2126, 1, 2, 13, 5, tzinfo=UTC),
        "UTC",
    )
    bob.save()
    sent = say(alice, pair, "Lunch?")
    Message.objects.filter(pk=sent.pk).update(created_at=AT)
    client = Client()
    client.force_login(alice)
    person = words(parse(client.get(f"/people/{bob.pk}/")))
    assert "until 2 January 2126, 1:05 pm" in person
    assert re.search(r"Local time ?\d+:\d\d [ap]m", person)
    quoted = one(client.get(f"/m/{sent.pk}/?actions"), ".quoted-message time")
    assert words(quoted) == "23 November 2026, 3:38 pm"
    assert re.search(r"\d, \d+:\d\d [ap]m", words(parse(client.get("/settings/sign-ins/"))))
    row = one(client.get("/?list"), f'#sidebar [data-conversation="{pair.pk}"] .row__time')
    assert words(row) == "23 Nov"
