"""The background work of a process without sockets."""

from __future__ import annotations

import pytest

from chatty.ops import metrics
from conversations import publisher
from conversations.realtime import background


@pytest.mark.django_db(transaction=True)
async def test_events_that_wait_to_be_published_are_counted(settings, monkeypatch):
    settings.REDIS_URL = "redis://unused"
    monkeypatch.setattr(publisher.Publisher, "waiting", 3)
    await background.start()
    try:
        background.collect_metrics()
        assert metrics.PUBLISHER_QUEUE._value.get() == 3
    finally:
        await background.stop()
    assert not any(isinstance(each, publisher.Publisher) for each in publisher._subscribers)
