"""Expired sessions and sign-ins are removed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import queries, tokens
from accounts.models import SignIn
from accounts.tests.helpers import raises_chat_error
from chatty.jobs.tests.helpers import purge

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def session(days):
    Session.objects.create(
        session_key=f"key{days}",
        session_data="",
        expire_date=timezone.now() + days * DAY,
    )


def sign_in(user, sid, **fields):
    SignIn.objects.create(
        user=user, kind="web", sid=sid, **{"expires_at": timezone.now() + DAY, **fields}
    )


def test_expired_sessions_are_removed():
    for days in (-400, -1, 1):
        session(days)
    purge("sessions")
    assert Session.objects.get().expire_date > timezone.now()


def test_old_sign_ins_are_removed(alice):
    now = timezone.now()
    sign_in(alice, "good")
    sign_in(alice, "ran out lately", expires_at=now - 29 * DAY)
    sign_in(alice, "ended lately", ended_at=now - 29 * DAY)
    sign_in(alice, "ran out", expires_at=now - 31 * DAY)
    sign_in(alice, "ended", ended_at=now - 31 * DAY)
    purge("sign_ins")
    assert set(SignIn.objects.values_list("sid", flat=True)) == {
        "good",
        "ran out lately",
        "ended lately",
    }
    assert queries.valid_sids(["good"]) == {"good"}


def test_expired_refresh_tokens_are_removed_with_their_sign_in(pair):
    SignIn.objects.update(expires_at=timezone.now() - 31 * DAY)
    purge("sign_ins")
    assert not SignIn.objects.exists()
    with raises_chat_error("token_invalid"):
        tokens.rotate(pair.refresh)
