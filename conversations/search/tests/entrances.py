"""The entrances of search, see tests/entrances.py. What it finds is tested in test_queries.py."""

from __future__ import annotations

from tests.entrances import Entrance

ENTRANCES = [
    Entrance("api:search", "GET", "have-account"),
    Entrance("search:search", "GET", "have-account"),
]
