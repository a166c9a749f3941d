"""Languages for tests, made of every string that Chatty translates: with other letters and more plural forms.

As Arabic they are written from right to left and have six forms. Each ends in its number.
"""

from __future__ import annotations

import re
import string
from pathlib import Path

from babel.messages.catalog import Catalog

from tests import catalogue

RIGHT_TO_LEFT = "ar"
_ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنه"
_LETTERS = str.maketrans(
    dict(zip(string.ascii_lowercase + string.ascii_uppercase, _ARABIC * 2, strict=True))
)
# Placeholders, tags, entities and addresses stay as they are.
_KEPT = re.compile(r"(%\(\w+\)[sd]|%[sd%]|\{\w*\}|<[^>]*>|&\w+;|https?://\S+)")


def write(folder: Path, language: str = RIGHT_TO_LEFT) -> None:
    """Write a catalogue of the language below `folder`, for LOCALE_PATHS."""
    strings = Catalog(locale=language)
    for message in catalogue.said():
        if not message.id:
            continue
        if isinstance(message.id, str):
            translated: str | tuple[str, ...] = _said(message.id)
        else:
            plural = _said(message.id[-1])
            translated = tuple(f"{plural} {form}" for form in range(strings.num_plurals))
        strings.add(message.id, translated, context=message.context)
    path = folder / language / "LC_MESSAGES"
    path.mkdir(parents=True)
    (path / "django.mo").write_bytes(catalogue.as_mo(strings))


def _said(text: str) -> str:
    if not re.search(r"[a-z]{3}", _KEPT.sub("", text)):
        return text  # the format of a date, for example
    parts = _KEPT.split(text)
    return "".join(
        part if number % 2 else part.translate(_LETTERS) for number, part in enumerate(parts)
    )
