"""Compares the history of a trial with the database, and returns a finding for each broken guarantee.

It reads rows by its own SQL, so that a bug in Chatty's queries cannot hide anything.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from proof.client import Device
from proof.history import Change, Finding, History, Saying, Stay

_MESSAGES = (
    "SELECT id, conversation_id, seq, version, kind, author_id, key, body, data, "
    "deleted_at IS NOT NULL, files, pinned IS NOT NULL FROM conversations_message "
    "ORDER BY conversation_id, seq"
)
_CONVERSATIONS = "SELECT id, last_seq, version FROM conversations_conversation"
_MEMBERSHIPS = "SELECT conversation_id, user_id FROM conversations_membership"
_REACTIONS = "SELECT message_id, user_id, emoji FROM conversations_reaction"
_COPIES = "SELECT message_id, version, body, deleted, times_new FROM proof_copy"
_UNREAD = (
    "SELECT count(*) FROM conversations_conversation c LEFT JOIN changefeed_cursor k "
    "ON k.reader = 'proof' AND k.source = 'conversation' AND k.subject_id = c.id "
    "WHERE c.version > 0 AND (k.id IS NULL OR k.version < c.version OR k.seq < c.last_seq)"
)
_HEADS = "SELECT id, version FROM conversations_conversation"

_CAME = {
    "created": None,
    "joined": None,
    "added": "user",
}  # who joined: the author, or the user in `data`
_GONE = {"left": None, "removed": "user"}


@dataclass(frozen=True)
class Row:
    """A stored message."""

    id: int
    conversation: int
    seq: int
    version: int
    kind: str
    author: int | None
    key: str | None
    body: str
    data: dict[str, Any]
    deleted: bool
    files: tuple[str, ...] = ()  # their names
    pinned: bool = False

    @property
    def excerpt(self) -> str:
        """What a quote shows. These clients write short messages without Markdown."""
        files = f"📎 {', '.join(self.files)}" if self.files else ""
        return f"{self.body} {files}".strip()


@dataclass(frozen=True)
class Copy:
    """What the reader of reader.py has noted of a message."""

    version: int
    body: str
    deleted: bool
    times_new: int


@dataclass
class Truth:
    """The contents of the database."""

    rows: list[Row]
    counters: dict[int, tuple[int, int]]  # conversation -> (last_seq, version)
    members: set[tuple[int, int]]  # (conversation, user)
    reactions: set[tuple[int, int, str]]  # (message, user, emoji)
    copies: dict[int, Copy] = field(default_factory=dict)  # of the reader, by message
    by_id: dict[int, Row] = field(init=False)

    def __post_init__(self) -> None:
        self.by_id = {row.id: row for row in self.rows}


def read_truth(connection: Any) -> Truth:
    def rows(statement: str) -> list[tuple[Any, ...]]:
        return list(connection.cursor().execute(statement).fetchall())

    return Truth(
        rows=[_row(*values) for values in rows(_MESSAGES)],
        counters={pk: (last_seq, version) for pk, last_seq, version in rows(_CONVERSATIONS)},
        members=set(rows(_MEMBERSHIPS)),
        reactions=set(rows(_REACTIONS)),
        copies={
            pk: Copy(version, body, bool(deleted), times_new)
            for pk, version, body, deleted, times_new in rows(_COPIES)
        },
    )


def count_unread(connection: Any) -> int:
    """Return how many conversations the reader doesn't know completely."""
    (count,) = connection.cursor().execute(_UNREAD).fetchone()
    return int(count)


def read_heads(connection: Any) -> tuple[dict[int, int], set[tuple[int, int]]]:
    """Return ({conversation: version}, {(conversation, user)} of all memberships)."""
    heads = dict(connection.cursor().execute(_HEADS).fetchall())
    return heads, set(connection.cursor().execute(_MEMBERSHIPS).fetchall())


def _row(*values: Any) -> Row:
    pk, conversation, seq, version, kind, author, key, body, data, deleted, files, pinned = values
    data = json.loads(data) if isinstance(data, str) else data or {}
    files = json.loads(files) if isinstance(files, str) else files or []
    names = tuple(file["name"] for file in files or ())
    about = (pk, conversation, seq, version, kind, author, key, body, data)
    return Row(*about, deleted=bool(deleted), files=names, pinned=bool(pinned))


def check(
    history: History, truth: Truth, devices: list[Device], pages: dict[int, list[dict[str, Any]]]
) -> list[Finding]:
    """Run all checks. `pages`: conversation -> all its messages as REST returns them now."""
    return [
        *history.findings,
        *_unexcused(history),
        *check_rows(truth),
        *check_sayings(history.sayings, truth),
        *check_order(history.sayings),
        *check_changes(history, truth),
        *check_pages(truth, pages),
        *check_transcripts(devices, truth, pages),
        *check_quotes(devices, truth, pages),
        *check_sights(history, truth),
        *check_copies(truth),
    ]


def _unexcused(history: History) -> Iterator[Finding]:
    """Drop suspicions about people who joined or left: their new stream may repeat or skip versions."""
    moved = {pair for pair, stays in history.stays.items() if stays != [Stay(0.0)]}
    for conversation, user, finding in history.suspicions:
        if (conversation, user) not in moved:
            yield finding


def check_rows(truth: Truth) -> Iterator[Finding]:
    """Sequence numbers have no gaps, versions are unique, and each key has one row."""
    seqs: dict[int, list[int]] = defaultdict(list)
    versions: dict[int, list[int]] = defaultdict(list)
    for row in truth.rows:
        seqs[row.conversation].append(row.seq)
        versions[row.conversation].append(row.version)
    for pk, (last_seq, version) in truth.counters.items():
        if seqs[pk] != list(range(1, last_seq + 1)):
            hole = next(n for n, s in enumerate([*seqs[pk], 0], 1) if n != s)
            yield Finding("lost", f"conversation {pk} has no message {hole} of {last_seq}")
        if max(versions[pk], default=0) != version:
            yield Finding("lost", f"no message has the last version of conversation {pk}")
        if len(set(versions[pk])) != len(versions[pk]):
            yield Finding("duplicated", f"two messages have the same version in conversation {pk}")
    keys = Counter((row.author, row.key) for row in truth.rows if row.key)
    for (author, key), number in keys.items():
        if number > 1:
            yield Finding("duplicated", f"{number} messages of user {author} have the key {key}")


def check_sayings(sayings: Iterable[Saying], truth: Truth) -> Iterator[Finding]:
    """Each acknowledged message is stored as acknowledged, and no rejected one is stored."""
    stored = {(row.author, row.key): row for row in truth.rows if row.key}
    for saying in sayings:
        row = stored.get((saying.author, saying.key))
        what = f"{saying.device}'s message {saying.key} in conversation {saying.conversation}"
        if saying.outcome == "failed" and row is not None:
            yield Finding("lost", f"{what} was rejected, but is stored as number {row.seq}")
        if saying.outcome != "ok":
            continue
        if row is None:
            yield Finding(
                "lost", f"{what} was acknowledged as number {saying.seq}, but is not stored"
            )
        elif (row.id, row.seq, row.conversation) != (saying.id, saying.seq, saying.conversation):
            yield Finding(
                "lost", f"{what} was acknowledged as number {saying.seq}, but is {row.seq}"
            )
        elif row.version < saying.version:
            yield Finding("lost", f"{what} has an older version than {saying.version}")


def check_order(sayings: Iterable[Saying]) -> Iterator[Finding]:
    """The messages of a device are stored in the order in which it sent them."""
    last: dict[tuple[str, int], Saying] = {}
    for saying in sayings:
        if saying.outcome != "ok" or saying.place is None:
            continue
        before = last.get((saying.device, saying.conversation))
        if before is not None and before.seq >= saying.seq:
            yield Finding(
                "reordered",
                f"{saying.device} sent {before.key} before {saying.key} in conversation "
                f"{saying.conversation}, but their numbers are {before.seq} and {saying.seq}",
            )
        last[saying.device, saying.conversation] = saying


def check_changes(history: History, truth: Truth) -> Iterator[Finding]:
    """Each message is in the state of its last acknowledged change, or of one with unknown outcome."""
    said = {saying.id: saying for saying in history.sayings if saying.outcome == "ok"}
    changes: dict[tuple[int, str, int], list[Change]] = defaultdict(list)
    for change in history.changes:
        # Body, deletion and pin belong to the message, a reaction to one user.
        whose = 0 if change.what in ("body", "deleted", "pinned") else change.user
        changes[change.message, change.what, whose].append(change)
    for (message, what, user), made in changes.items():
        row = truth.by_id.get(message)
        if row is None:
            yield Finding("lost", f"message {message} was changed, but is not stored")
            continue
        if row.deleted and what != "deleted":
            continue  # deletion removes the body, the reactions and the pin
        before: str | bool = said[message].body if what == "body" and message in said else False
        if what == "body" and not before:
            continue
        stored: dict[str, str | bool] = {
            "body": row.body,
            "deleted": row.deleted,
            "pinned": row.pinned,
        }
        now = stored.get(what, (message, user, what) in truth.reactions)
        possible = possible_values(before, made)
        if now not in possible:
            yield Finding(
                "lost", f"message {message}: {what} is {now!r}, but should be {possible!r}"
            )
    yield from _check_untouched(said, changes, truth)


def possible_values(before: str | bool, changes: list[Change]) -> list[str | bool]:
    """Return all valid final values. A change without a response may be applied at any time, even late."""
    last = before
    unknown = []
    for change in changes:
        if change.outcome == "ok":
            last = change.value
        elif change.outcome == "unknown":
            unknown.append(change.value)
    return [last, *unknown]


def _check_untouched(
    said: dict[int, Saying], changes: dict[tuple[int, str, int], list[Change]], truth: Truth
) -> Iterator[Finding]:
    touched = {message for message, what, _user in changes if what in ("body", "deleted")}
    for pk, saying in said.items():
        row = truth.by_id.get(pk)
        if row is not None and pk not in touched and row.body != saying.body:
            yield Finding("lost", f"message {pk} is {row.body!r} instead of {saying.body!r}")


def check_copies(truth: Truth) -> Iterator[Finding]:
    """The reader knows every message as it is now, and each was new to it once."""
    for row in truth.rows:
        copy = truth.copies.get(row.id)
        if copy is None:
            yield Finding("lost", f"the reader never got message {row.id}")
            continue
        if (copy.version, copy.body, copy.deleted) != (row.version, row.body, row.deleted):
            yield Finding(
                "lost",
                f"the reader has version {copy.version} of message {row.id} instead of {row.version}",
            )
        if copy.times_new != 1:
            text = f"message {row.id} was new to the reader {copy.times_new} times"
            yield Finding("duplicated" if copy.times_new else "lost", text)


def check_pages(truth: Truth, pages: dict[int, list[dict[str, Any]]]) -> Iterator[Finding]:
    """REST returns every stored message, in order."""
    stored: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for row in truth.rows:
        stored[row.conversation].append((row.id, row.seq, row.version))
    for pk, messages in pages.items():
        if [(m["id"], m["seq"], m["version"]) for m in messages] != stored[pk]:
            yield Finding("lost", f"REST does not return what is stored of conversation {pk}")


def check_transcripts(
    devices: Iterable[Device], truth: Truth, pages: dict[int, list[dict[str, Any]]]
) -> Iterator[Finding]:
    """What each member's device assembled from events equals what REST returns now."""
    for device in devices:
        for conversation, messages in pages.items():
            if (conversation, device.person.id) in truth.members:
                yield from _check_transcript(device, conversation, messages)


def _check_transcript(
    device: Device, conversation: int, messages: list[dict[str, Any]]
) -> Iterator[Finding]:
    view = device.views.get(conversation)
    where = f"{device.name} in conversation {conversation}"
    if view is None:
        yield Finding("lost", f"{where}: is a member, but never received the conversation")
        return
    shown = view.messages
    for message in messages:
        seen = shown.get(message["id"])
        if seen is None:
            yield Finding("lost", f"{where}: never received message {message['id']}")
        elif seen != message:
            yield Finding("lost", f"{where}: shows {_short(seen)} instead of {_short(message)}")
    for pk in shown.keys() - {message["id"] for message in messages}:
        yield Finding("duplicated", f"{where}: shows message {pk}, which is not stored")


def check_quotes(
    devices: Iterable[Device], truth: Truth, pages: dict[int, list[dict[str, Any]]]
) -> Iterator[Finding]:
    """Every quote, in REST and on every member's device, shows the quoted message's current text."""
    for messages in pages.values():
        yield from _check_quotes("REST", messages, truth)
    for device in devices:
        for conversation, view in device.views.items():
            if (conversation, device.person.id) in truth.members:
                yield from _check_quotes(device.name, view.messages.values(), truth)


def _check_quotes(
    where: str, messages: Iterable[dict[str, Any]], truth: Truth
) -> Iterator[Finding]:
    for message in messages:
        quoted = message["reply_to"]
        row = truth.by_id.get(quoted["id"]) if quoted else None
        if quoted is None or row is None:
            continue
        shown, stored = (quoted["excerpt"], quoted["deleted"]), (row.excerpt, row.deleted)
        if shown != stored:
            yield Finding(
                "stale",
                f"{where}: message {message['id']} quotes message {row.id} as {shown!r} instead of "
                f"{stored!r}",
            )


def _short(message: dict[str, Any]) -> str:
    names = ("id", "version", "body", "reply_to", "deleted_at", "reactions")
    return json.dumps({name: message[name] for name in names}, ensure_ascii=False)


def check_sights(history: History, truth: Truth) -> Iterator[Finding]:
    """No one saw a message outside of their memberships.

    Members can read the whole history, so the latest stay that had begun by then decides: versions
    after its end must not be visible.
    """
    ends = stays_by_version(truth)
    for (conversation, user, version), (at, how, message) in history.sights.items():
        asked = history.stays.get((conversation, user), [])
        stays = ends.get((conversation, user), [])
        if len(asked) != len(stays) and asked:
            # A request that seemed lost was applied later, so the stays cannot be matched.
            history.counts["deliveries not checked"] += 1
            continue
        begun = [end for stay, end in zip(asked, stays, strict=True) if stay.began <= at]
        if not begun or (begun[-1] is not None and version >= begun[-1]):
            when = "who was never a member" if not begun else f"a member until {begun[-1]}"
            yield Finding(
                "leaked",
                f"{how} (user {user}, {when}) received message {message} of conversation "
                f"{conversation} at version {version}",
            )


def stays_by_version(truth: Truth) -> dict[tuple[int, int], list[int | None]]:
    """Return (conversation, user) -> the version at which each stay ended, or None if it did not."""
    found: dict[tuple[int, int], list[int | None]] = defaultdict(list)
    for row in truth.rows:
        if row.kind in _CAME:
            found[row.conversation, _whom(row, _CAME[row.kind])].append(None)
        elif row.kind in _GONE:
            found[row.conversation, _whom(row, _GONE[row.kind])][-1] = row.version
    return found


def _whom(row: Row, named_by: str | None) -> int:
    return int(row.data[named_by] if named_by else row.author or 0)
