"""Searching a long history, on PostgreSQL and on SQLite, without HTTP."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from benchmarks.bench import MICRO, MILLI, Bench
from benchmarks.contenders import Chatty, ChattySmall
from benchmarks.site import HERE
from tests.installations import Installation

PEOPLE = ("3 conversations", "1,000 conversations")  # as search_data.py calls them
SCENARIO = "search"
LONG = 1_000_000  # with --full
INDEXING = "CPU to index a message, without PostgreSQL"
_LIMIT = {"LIMIT_SEARCH": "1000000/s"}


def time_of(query: str, person: str) -> str:
    return f"{query}, in {person}"


def run(bench: Bench) -> None:
    count = 3_000 if bench.quick else LONG if bench.full else 100_000
    conversations = 1_200 if bench.quick else 10_000
    given = {"count": count, "conversations": conversations, "rounds": bench.rounds}
    for kind in bench.available([Chatty, ChattySmall]):
        chatty = kind(bench.site)
        if not (chatty.installation.root / "conversations/search").is_dir():
            continue  # an older checkout
        measured = _measure(chatty.installation, given)
        bench.sheet.note(SCENARIO, "messages", chatty.name, count, "", 0)
        bench.sheet.note(SCENARIO, INDEXING, chatty.name, measured["indexing"] * MICRO, "µs")
        for person, searches in measured["searches"].items():
            for query, seconds in searches.items():
                for each in seconds:
                    what = time_of(query, person)
                    bench.sheet.note(SCENARIO, what, chatty.name, each * MILLI, "ms")


def _measure(installation: Installation, given: dict[str, int]) -> dict[str, Any]:
    # By path, as in site.py: another checkout has its own benchmarks/.
    script = f"import runpy; runpy.run_path({str(HERE / 'search_data.py')!r})['serve_requests']()"
    done = subprocess.run(
        [installation.python, "manage.py", "shell", "-v", "0", "-c", script],
        cwd=installation.root,
        env={**installation.env, **_LIMIT},
        input=json.dumps(given) + "\n",
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured
