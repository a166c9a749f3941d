from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from conversations import queries
from conversations.models import Instance

pytestmark = pytest.mark.django_db


def new_epoch() -> str:
    output = io.StringIO()
    call_command("new_epoch", stdout=output)
    return output.getvalue()


def test_a_new_epoch_is_another_one_and_stays():
    before = queries.epoch()
    output = new_epoch()
    after = queries.epoch()
    assert after != before
    assert after in output
    assert queries.epoch() == after
    assert Instance.objects.count() == 1


def test_it_says_what_follows():
    assert "reconnect all clients" in new_epoch()


def test_it_works_before_anybody_has_asked_for_the_epoch():
    assert not Instance.objects.exists()
    assert queries.epoch() not in ("", None)
    Instance.objects.all().delete()
    new_epoch()
    assert Instance.objects.count() == 1
