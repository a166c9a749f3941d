"""Finds links that show another address than they lead to: [https://bank.example](https://evil.example).

Readers take the text for the target, so such a link is shown as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import idna

from chatty.common.text import without_blank

# What looks like the punctuation of an address, and is not normalised to it.
_LIKE = str.maketrans("∶꞉ː。․∕⁄⧸╱", ":::..////")
_PLAIN_MAX = 3  # characters in place of one
# Addresses as Chatty links them by itself, with what is between the scheme and the path.
_ADDRESS = re.compile(
    r"(?:https?|ftp):/{2,}([^\s/\\?#]+)|(?<![\w.@-])www\.([^\s/\\?#]+)"
    r"|[^\s@]@((?:[\w-]+\.)+[^\W\d_]{2,})",
    re.IGNORECASE,
)
# A text that is nothing but a host name. It is not linked by itself, and most of what looks like one is the
# name of a file: README.md, utils.py. So only the most common top-level domains count.
_BARE_HOST = re.compile(
    r"((?:[\w-]+\.)+(?:com|org|net|info|edu|gov|io|dev|eu|at|ch|de|fr|uk))(?::\d+)?(?:[/?#]\S*)?",
    re.IGNORECASE,
)
_HOST = re.compile(r"[\w.-]+")
# The quoting of targets in opening_tag() leaves nothing but these before and after a host.
_TARGET = re.compile(r"https?:/*([^/?#]*)", re.IGNORECASE)


def is_misleading(text: str, target: str) -> bool:
    """Whether the text of a link has an address with another host than its target (http, https or mailto; ""
    if the text is the target). The target can be a subdomain of what is shown."""
    shown = list(_hosts_in(text)) if target else []
    if not shown:
        return False
    host = _host_of(target)
    return not all(host == each or host.endswith(f".{each}") for each in shown)


def _hosts_in(text: str) -> Iterator[str]:
    if not text.isascii():
        text = _undisguised(text)
    text = text.strip(" !")
    if bare := _BARE_HOST.fullmatch(text):
        yield _normal(bare[1])
    for found in _ADDRESS.finditer(text):
        # Also what is before an "@", where people expect the host: https://bank.example@evil.example
        *users, host = (found[1] or found[2] or found[3]).split("@")
        yield from (_normal(each) for each in users if "." in each)
        name = _HOST.match(host)
        yield _normal(name[0] if name else host)


def _undisguised(text: str) -> str:
    """Return the text without invisible characters, and with ordinary ones for those that look like them."""
    text = " ".join(map(without_blank, text.split()))
    # By character, because some become 18 others.
    plain = {each: unicodedata.normalize("NFKC", each) for each in set(text)}
    like = {ord(each): found for each, found in plain.items() if len(found) <= _PLAIN_MAX}
    return text.translate({**like, **_LIKE})


def _host_of(target: str) -> str:
    if found := _TARGET.match(target):
        host = found[1].rpartition("@")[2]
        return _normal(host.partition(":")[0])
    return _normal(target.partition("?")[0].rpartition("@")[2])


def _normal(host: str) -> str:
    host = host.lower().strip(".-").removeprefix("www.")
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return host
