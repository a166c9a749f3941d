"""Names of settings, and which one a misspelled name is most likely meant to be."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

from chatty.conf.known_settings import NAMES, SETTINGS

# Names that other software sets and that look like a misspelled setting.
_SET_BY_OTHERS = frozenset(
    {
        "COST", "DATADIR", "DATA_DIRS", "DEBUGS", "DEBUG_", "DPORT", "GHOST", "HOSTFILE", "HOSTS",
        "HOST_", "LHOST", "LOGLEVEL", "LOG_LEVELS", "LPORT", "MAIL_FROM", "MAIL_URL", "MPORT",
        "PORTFILE", "PORTS", "PORT_",
        "POST", "RHOST", "RPORT", "SORT", "SPORT", "VHOST", "XDEBUG", "XPORT", "XHOST", "_DEBUG",
        "_HOST", "_PORT", "DEBUGFILE", "DEBUGP",
    }
)  # fmt: skip


def is_one_edit_away(name: str, other: str) -> bool:
    """Whether one letter is missing, extra or wrong, two are swapped, or only the case differs."""
    if name == other:
        return False
    if "_" in other and name.upper() == other:
        return True
    if abs(len(name) - len(other)) > 1:
        return False
    start = next(
        (at for at, (a, b) in enumerate(zip(name, other, strict=False)) if a != b),
        min(len(name), len(other)),
    )
    a, b = name[start:], other[start:]
    return (
        a[1:] == b[1:]  # wrong, or at the end
        or a[1:] == b
        or a == b[1:]
        or (a[:2] == b[1::-1] and a[2:] == b[2:] and len(b) > 1)
    )


def require_known_names(environment: Mapping[str, str]) -> None:
    """Raises ImproperlyConfigured for a name that looks like a misspelled setting."""
    for name in sorted(environment):
        meant = slip_of(name)
        if meant is not None:
            raise ImproperlyConfigured(
                f"The environment variable {name} is not a setting. Did you mean {meant}? "
                "If other software needs it, unset it for Chatty."
            )


def slip_of(name: str) -> str | None:
    """Return the known name that `name`, a variable of the environment, is most likely meant to be.

    None if `name` is known, or not similar to any known name.
    """
    if name in NAMES or name in _SET_BY_OTHERS:
        return None
    return next((known for known in sorted(NAMES) if is_one_edit_away(name, known)), None)


def find_nearest(name: str) -> str:
    """Return the setting whose name is the most similar to `name`."""
    return min(sorted(SETTINGS), key=lambda known: _distance(name.upper(), known))


def _distance(a: str, b: str) -> int:
    """The number of missing, extra or wrong letters and of swaps (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        following = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, following[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            following.append(cost)
        before, row = row, following
    return row[-1]
