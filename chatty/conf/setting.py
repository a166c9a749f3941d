"""What the declaration of a setting consists of.

Imports nothing from Django, so it can be loaded before settings exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text",
    "url",
    "secret",
    "path",
    "flag",
    "number",
    "whole number",
    "choice",
    "list",
    "networks",
    "origins",
    "rate",
]
UNBOUNDED = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`kind` chooses the function of chatty/conf/env.py that reads it.

    `default` is written as in the environment. It is "" if there is none, or if it depends on other
    settings; `default_note` then says what it is, and the code that reads the setting passes it.
    """

    name: str
    kind: Kind
    description: str
    default: str = ""
    default_note: str = ""
    unit: str = ""
    least: float = 0
    most: float = UNBOUNDED
    choices: tuple[str, ...] = ()
    form: str = ""  # the format of a value, if `kind` is not specific enough
    example: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    settings: tuple[Setting, ...]
    description: str = ""
