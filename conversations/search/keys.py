"""Keyed hashes of grams: what the database stores instead of pieces of texts.

A key is derived from a secret. The index remembers by which keys it has been written, so that after a change
of SECRET_KEY, messages are still found by the former one in SECRET_KEY_FALLBACKS, until all are written again
(rebuild.py).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings

from chatty.conf.env import derive_key
from conversations.search.grams import gap_gram, word_grams
from conversations.search.models import IndexKey
from conversations.search.storage import storage

logger = logging.getLogger(__name__)

_KEPT = 30_000  # hashes, and hashes of words, in memory: up to 10 MB. A language has fewer in frequent use.
_WORD_MAX = 20
_LONG = 200  # hashes, from which on it is worth the time to leave out those that are there already


class GramKey:
    """`check`: identifies the key in the database, and tells nothing about it."""

    def __init__(self, secret: str) -> None:
        key = bytes.fromhex(derive_key(secret, "search"))
        self.check = hashlib.blake2b(b"check", key=key, digest_size=8).hexdigest()
        self._hashes = _Hashes(key)
        self._words: dict[str, list[str]] = {}

    def hash(self, grams: Iterable[str]) -> list[str]:
        """Return the hash of each gram, as the storage has it."""
        if len(self._hashes) > _KEPT:
            self._hashes.clear()
        return list(map(self._hashes.__getitem__, grams))

    def hash_text(self, folded: str) -> list[str]:
        """Return the hash of each gram of a folded text. In a short text, a few can be there several times.

        Most words are known, which takes a third of the time.
        """
        words = folded.split(" ")
        known = self._words
        found: list[str] = []
        for word in words:
            hashes = known.get(word)
            found += self._hash_word(word) if hashes is None else hashes
        found += self.hash(map(gap_gram, words, words[1:]))
        return found if len(found) < _LONG else list(dict.fromkeys(found))

    def _hash_word(self, word: str) -> list[str]:
        hashes = self.hash(dict.fromkeys(word_grams(word)))
        if (
            len(word) <= _WORD_MAX
        ):  # longer ones are addresses, and sentences of scripts without spaces
            if len(self._words) > _KEPT:
                self._words.clear()
            self._words[word] = hashes
        return hashes


class _Hashes(dict[str, str]):
    """Computes what is missing: a look-up takes 40 ns, a hash 1 µs."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._keyed = hashlib.blake2b(key=key, digest_size=4)

    def __missing__(self, gram: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(gram.encode())
        self[gram] = text = storage().as_text(int.from_bytes(keyed.digest()) >> 1)
        return text


@lru_cache(maxsize=8)
def _key_of(secret: str) -> GramKey:
    return GramKey(secret)


def current_key() -> GramKey:
    """Return the key to write with. Entries must only be written once it is remembered."""
    return _key_of(settings.SECRET_KEY)


def remember(key: GramKey) -> None:
    """Note that the index has entries of this key."""
    IndexKey.objects.get_or_create(check_value=key.check)


def keys_in_use() -> list[GramKey]:
    """Return the keys to search with: those that entries were written with. One query."""
    used = set(IndexKey.objects.values_list("check_value", flat=True))
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    found = [key for key in map(_key_of, secrets) if key.check in used]
    if used.difference(key.check for key in found):
        _warn_once()
    return found


def has_former_keys() -> bool:
    """Whether there may be entries of another key than the current one."""
    check = current_key().check
    return IndexKey.objects.exclude(check_value=check).exists()


def forget_former_keys() -> None:
    """Must be called when all entries have been written with the current key."""
    IndexKey.objects.exclude(check_value=current_key().check).delete()


@lru_cache(maxsize=1)
def _warn_once() -> None:
    logger.warning(
        "Messages indexed with a former secret key can't be found until they have been indexed again. "
        "A running server does that within hours; manage.py rebuild_search does it now."
    )
