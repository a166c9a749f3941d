"""The history of a trial: what was attempted, answered and seen."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from proof.files import SentFile

Outcome = Literal["ok", "failed", "unknown"]
Kind = Literal["lost", "duplicated", "reordered", "leaked", "stale"]
KINDS: tuple[Kind, ...] = ("lost", "duplicated", "reordered", "leaked", "stale")


@dataclass(eq=False)
class Saying:
    """A message to send. `device` sends those with a `place` one by one, in that order. Those without
    one (sent by REST) may overtake them.

    `outcome` is "unknown" until there is a response. It stays "unknown" if an error follows an
    attempt without a response: that attempt may still be stored.
    """

    author: int
    device: str
    conversation: int
    key: str
    body: str
    place: int | None
    reply_to: int | None = None
    file: SentFile | None = None
    tries: int = 0
    outcome: Outcome = "unknown"
    settled: bool = False
    id: int = 0
    seq: int = 0
    version: int = 0

    def accept(self, *, id: int, seq: int, version: int) -> None:  # noqa: A002
        self.outcome, self.settled = "ok", True
        self.id, self.seq, self.version = id, seq, version

    def refuse(self) -> None:
        self.settled = True
        self.outcome = "failed" if self.tries <= 1 else "unknown"


@dataclass(eq=False)
class Change:
    """An edit, a deletion, a pin, or a change of a reaction, by REST.

    `what`: "body", "deleted", "pinned", or the emoji. `value`: the intended value.
    """

    user: int
    message: int
    what: str
    value: str | bool
    outcome: Outcome = "unknown"


@dataclass
class Stay:
    """One membership of one person in one conversation, from the request that adds them.

    `ended`: whether they have been removed. Stays of the same person in the same conversation never
    overlap.
    """

    began: float
    ended: bool = False


@dataclass(frozen=True)
class Finding:
    """A broken guarantee."""

    kind: Kind
    text: str


@dataclass
class History:
    sayings: list[Saying] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    # (conversation, user) -> stays, in order
    stays: dict[tuple[int, int], list[Stay]] = field(default_factory=dict)
    # (conversation, user, version) -> (when first seen, how, the message)
    sights: dict[tuple[int, int, int], tuple[float, str, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    suspicions: list[tuple[int, int, Finding]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0

    def saw(self, user: int, conversation: int, message: dict[str, Any], how: str) -> None:
        # Keep the first time, which is the strictest: a later stay could justify a later one.
        sight = (time.monotonic(), how, message["id"])
        self.sights.setdefault((conversation, user, message["version"]), sight)

    def found(self, kind: Kind, text: str) -> None:
        self.findings.append(Finding(kind, text))

    def suspect(self, conversation: int, user: int, kind: Kind, text: str) -> None:
        """Record a possible finding. It is dropped if this person joined or left the conversation."""
        self.suspicions.append((conversation, user, Finding(kind, text)))

    def outcomes(self) -> Counter[str]:
        said = Counter(saying.outcome for saying in self.sayings)
        return Counter[str](said) + Counter[str](change.outcome for change in self.changes)
