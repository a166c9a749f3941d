"""One module per scenario. Each has a function run(bench)."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.scenarios import (
    connect,
    fanout,
    files,
    history,
    hostile,
    page,
    readers,
    requests,
    rooms,
    search,
    sends,
    slow_reader,
    tick,
)

SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "fanout": fanout.run,
    "rooms": rooms.run,
    "sends": sends.run,
    "rich": sends.run_rich,
    "readers": readers.run,
    "connect": connect.run,
    "history": history.run,
    "page": page.run,
    "slow": slow_reader.run,
    "tick": tick.run,
    "requests": requests.run,
    "search": search.run,
    "files": files.run,
    "hostile": hostile.run,
}
