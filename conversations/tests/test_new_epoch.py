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


def test_new_epoch_changes_the_epoch_for_good():
    before = queries.epoch()
    output = new_epoch()
    after = queries.epoch()
    assert after != before
    assert after in output
    assert queries.epoch() == after
    assert Instance.objects.count() == 1


def test_new_epoch_explains_the_consequences():
    assert "reconnect all clients" in new_epoch()


def test_new_epoch_works_before_the_first_epoch_exists():
    assert not Instance.objects.exists()
    assert queries.epoch() not in ("", None)
    Instance.objects.all().delete()
    new_epoch()
    assert Instance.objects.count() == 1
