"""Finds names that look like others, so that no one can pose as someone else with their name alone."""

from __future__ import annotations

import re
import unicodedata

from chatty.common.text import fold_loosely, without_blank

# Letters of other scripts, digits and pairs that look like Latin letters in most fonts.
_LIKE = str.maketrans(
    {
        **dict(zip("абвгеёзикмнопрстухьѕіјԁԛԝһӏ", "a6bree3ukmhonpctyxbsijdqwhl", strict=True)),
        **dict(zip("αβγδεζηικλμνορτυχω", "aByseznikAuvoptuxw".lower(), strict=True)),
        **dict(zip("ɑᴀʙᴄᴅᴇɡɢʜɩɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "aabcdegghiijklmnoprstuvwyz", strict=True)),
        **dict(zip("0135|!$@", "olesllsa", strict=True)),
    }
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def skeleton(name: str) -> str:
    """Return a text that is equal for names that look alike. It is never shown."""
    seen = without_blank(fold_loosely(name)).translate(_LIKE)
    plain = "".join(character for character in seen if character.isalnum()).replace("i", "l")
    if not plain:  # nothing but emoji or punctuation, which people can tell apart
        return seen
    for pair, single in _PAIRS:
        plain = plain.replace(pair, single)
    return plain


def look_alike(first: str, second: str) -> bool:
    return skeleton(first) == skeleton(second)


# Scripts with letters that look like those of the others.
_ALIKE = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")
_WORD = re.compile(r"[^\W\d_]+")


def mixes_scripts(name: str) -> bool:
    """Return whether a word of a name has letters of several scripts that look alike, as in "Adа" with a
    Cyrillic "а". No one writes like this, except to pose as someone else."""
    return any(len(_scripts_of(word)) > 1 for word in _WORD.findall(name))


def _scripts_of(word: str) -> set[str]:
    names = (unicodedata.name(letter, "").partition(" ")[0] for letter in word)
    return {script for script in names if script in _ALIKE}
