"""The names of built-in emoji, which custom ones can't have: the shortcodes of the emoji picker."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django.conf import settings


@cache
def built_in_names() -> frozenset[str]:
    """Return all shortcodes. They are the same in each language: see docs/emoji.py."""
    path = Path(settings.BASE_DIR) / "static" / "emoji" / "en.json"
    lines = (line for _key, lines in json.loads(path.read_text())["groups"] for line in lines)
    parts = (line.split("\t") for line in lines)
    return frozenset(code for part in parts if len(part) > 3 for code in part[3].split())
