"""Avatars: the initials of a person on their colour, covered by their picture once it has loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from accounts.models import HUES, User
from accounts.wire import PersonOut

# In names separated by commas, what follows the first word of each: "Ada Lovelace, Bob" is shown as AB. With
# the initials of one of them, a group would look like the direct message with this person.
_FURTHER_WORDS = re.compile("([^,]) [^,]*")


@dataclass(frozen=True, slots=True)
class Avatar:
    """A person or group as rows show them. `id`: "" for no one."""

    id: int | str
    name: str
    hue: int
    initials: str
    picture: str


NO_AVATAR = Avatar(id="", name="", hue=0, initials="", picture="")


def avatar_of(person: User | PersonOut | None) -> Avatar:
    if not person:
        return NO_AVATAR
    picture = person.picture if isinstance(person, PersonOut) else person.picture_url
    return Avatar(person.id, person.name, person.hue, initials(person.name), picture or "")


def small_avatar_of(person: User) -> Avatar:
    """Return a small avatar, with room for one initial."""
    return Avatar(person.pk, person.name, person.hue, initials(person.name)[:1], "")


def tile_of(conversation_id: int, name: str, *, unnamed: bool = False) -> Avatar:
    """Return the avatar of a group. `unnamed`: its name consists of the names of people."""
    letters = initials(_FURTHER_WORDS.sub(r"\1", name) if unnamed else name)
    return Avatar(conversation_id, name, conversation_id * 7 % HUES, letters, "")


def initials(name: str) -> str:
    """Up to two initials: AL for "Ada Lovelace", B for "bob", 李 for "李明"."""
    words = [word for word in name.split() if word[0].isalnum()] or name.split()
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [word[0] for word in words[:1]]
    return "".join(letters).upper()[:2]
