from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from conversations import changefeed
from conversations.changefeed import batches, readers, sweeps
from conversations.changefeed.models import Cursor
from conversations.changefeed.readers import Batch, Reader
from conversations.models import Message
from conversations.tests.conftest import group, hello, open_group, pair

__all__ = ["group", "hello", "open_group", "pair"]


class Notebook:
    """A reader that notes what it is called with, and knows what each message says."""

    def __init__(self, name: str, starts: Literal["beginning", "now"]) -> None:
        self.batches: list[Batch] = []
        self.created: list[int] = []  # message ids
        self.texts: dict[int, str] = {}
        self.deleted: list[int] = []
        self.refuses: Callable[[Batch], None] = lambda batch: None
        self.reader = Reader(name, starts, self.handle, memberships=True)

    def handle(self, batch: Batch) -> None:
        self.refuses(batch)
        self.batches.append(batch)
        self.created += [each.message_id for each in batch.messages if each.created]
        ids = [each.message_id for each in batch.messages]
        self.texts |= dict(Message.objects.filter(pk__in=ids).values_list("pk", "body"))
        self.deleted += batch.deleted_conversations

    def read(self, *, most: int = batches.CHANGES_MAX, rounds: int = 1_000) -> None:
        """Handle what a sweep finds, until it finds nothing."""
        batches.start(self.reader)
        for _ in range(rounds):
            found = [
                (source, ids)
                for source in Cursor.Source.values
                for ids in [sweeps.find_behind(self.reader, source, 0).ids]
                if ids
            ]
            if not found:
                return
            for source, ids in found:
                batches.run_batch(self.reader, source, ids, most=most)
            Cursor.objects.update(due_at="2020-01-01T00:00:00Z")  # don't wait after failures
        raise AssertionError("There is always something left.")

    @property
    def seen(self) -> list[tuple[int, bool]]:
        """Return (seq, whether created) of all messages it was called with."""
        return [(each.seq, each.created) for batch in self.batches for each in batch.messages]


@pytest.fixture(autouse=True)
def no_other_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_readers", {})


@pytest.fixture
def make_notebook(no_other_readers: None) -> Iterator[Callable[..., Notebook]]:
    made: list[Notebook] = []

    def make(name: str = "notebook", starts: Literal["beginning", "now"] = "beginning") -> Notebook:
        notebook = Notebook(name, starts)
        changefeed.register(notebook.reader)
        made.append(notebook)
        return notebook

    yield make
    for notebook in made:
        changefeed.unregister(notebook.reader.name)


@pytest.fixture
def notebook(make_notebook: Callable[..., Notebook]) -> Notebook:
    return make_notebook()
