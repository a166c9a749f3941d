"""Shortens the private names of classes (#name), which no other file can use."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator
from itertools import count, product

# In minified code. A declaration begins a member of a class, a use follows a dot. Neither is like the "#"
# of a selector, URL or colour.
_NAME = re.compile(
    r"(?:(?<=[{};\n*])|(?<=\basync)|(?<=\b[gs]et)|(?<=\bstatic))#(?P<declared>\w+)(?=[=;(}])"
    r"|(?<=[\w)\]?]\.)#(?P<used>\w+)"
)


# Where a class begins, in minified code: a statement, or the value of an export.
_CLASS = re.compile(r"(?=(?<![\w.$#])class \w+(?: extends [\w.$]+)?\{)")


def shorten_private_names(text: str) -> str:
    """Return minified code with the shortest names for those that occur most often. Doing it twice changes
    nothing.

    Each class has names of its own, so that the same few names are used in all of them.
    """
    classes = _CLASS.split(text)
    if not all(_declares_all(each) for each in classes):
        classes = [text]  # a class in a class
    return "".join(map(_shorten, classes))


def _declares_all(text: str) -> bool:
    declared, used = _names(text)
    return declared >= set(used)


def _names(text: str) -> tuple[set[str], list[str]]:
    """Return the declared names, and every occurrence of any."""
    found = list(_NAME.finditer(text))
    return {each["declared"] for each in found} - {None}, [_name(each) for each in found]


def _name(found: re.Match[str]) -> str:
    return found["declared"] or found["used"]


def _shorten(text: str) -> str:
    declared, names = _names(text)
    wanted = (name for name, _count in Counter(names).most_common() if name in declared)
    short = dict(zip(wanted, _short_names(), strict=False))
    return _NAME.sub(lambda found: f"#{short.get(_name(found), _name(found))}", text)


def _short_names() -> Iterator[str]:
    return (
        "".join(letters) for n in count(1) for letters in product(string.ascii_letters, repeat=n)
    )
