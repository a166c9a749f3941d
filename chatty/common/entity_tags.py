"""Entity tags: `ETag` says in which state something was read, `If-Match` changes it only in that state.

A tag depends on what can be edited, and on nothing else. The tag of a message is the same after a reaction,
for example, so that an edit is rejected only if it would overwrite another edit.
"""

from __future__ import annotations

import hashlib
import json
import re

from chatty.common.errors import ChatError

# Of an If-Match header; None: there is none, or it is "*".
Tags = frozenset[str] | None

_TAG = r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")'
_LIST = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")


def entity_tag(*values: str | int | bool | None) -> str:
    encoded = json.dumps(values).encode()
    return f'"{hashlib.blake2b(encoded, digest_size=8).hexdigest()}"'


def parse_if_match(header: str | None) -> Tags:
    """Raises ChatError("invalid").

    Weak tags are compared like strong ones: compressing a response, here or in a proxy, makes its tag weak.
    """
    if header is None or header.strip() == "*":
        return None
    if not _LIST.fullmatch(header):
        raise ChatError("invalid", fields={"If-Match": ["Not a list of entity tags."]})
    return frozenset(re.findall(_TAG, header))


def require_match(tags: Tags, current: str) -> None:
    """Raise ChatError("precondition_failed") unless the current tag is one of these."""
    if tags is not None and current not in tags:
        raise ChatError("precondition_failed")
