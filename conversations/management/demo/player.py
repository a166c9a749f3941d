"""Stores the demo's messages with the normal actions, and with times in the past."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Max

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from conversations import actions, limits
from conversations.content import Content
from conversations.management.demo.people import CAST, EMAILS
from conversations.management.demo.script import ActionLine, MessageLine, Scene, bodies, scenes
from conversations.models import Conversation, Membership, Message

LARGE = "Everything at once"  # the conversation for any number of messages
SPAN = timedelta(days=30)
STALE = timedelta(hours=3)  # older messages have been read by everyone

Progress = Callable[[int], object]  # called with the number of steps done since the last call


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """An action and its time. Actions at the same time run in the order of the script."""

    at: datetime
    number: int
    action: Callable[[], object] = field(compare=False)


def demo_exists() -> bool:
    return User.objects.filter(email__in=EMAILS).exists()


def has_real_messages() -> bool:
    """Whether there are messages from anyone but the demo's people and `setup`."""
    text = Message.objects.filter(kind=Message.Kind.TEXT).exclude(author__email__in=EMAILS)
    return text.exclude(key__startswith="welcome-").exists()


@transaction.atomic
def create_conversations(*, password: str, now: datetime, plan: Callable[[int], Progress]) -> None:
    """Create the people and their conversations, in one transaction.

    `password`: already hashed. `plan`: called with the number of steps, returns the function to call after
    each. A transaction this long is acceptable, because no one else is in these conversations yet.
    """
    player = ScriptPlayer(create_people(password, now), now)
    steps = sorted(step for scene in scenes(now) for step in player.steps(scene))
    progress = plan(len(steps))
    for step in steps:
        with timestamps.use_clock(_standing(step.at)):
            step.action()
        progress(1)
    catch_up_reading(now)


def _standing(at: datetime) -> timestamps.Clock:
    return lambda: at


def create_people(password: str, now: datetime) -> dict[str, User]:
    """Create the people and return them by handle."""
    return {
        person.handle: User.objects.create(
            email=person.email,
            name=person.name,
            time_zone=person.time_zone,
            password=password,
            date_joined=now - SPAN - timedelta(days=3),
        )
        for person in CAST
    }


class ScriptPlayer:
    """Turns the lines of a script into actions, and remembers the rows they created."""

    def __init__(self, people: dict[str, User], now: datetime) -> None:
        self._people = people
        self._now = now
        self._conversations: dict[str, int] = {}
        self._said: dict[str, int] = {}
        self._count = 0
        self._dice = random.Random("demo")  # noqa: S311 - must give the same data every time

    def steps(self, scene: Scene) -> Iterator[Step]:
        yield self._step(scene.begins, partial(self._open, scene))
        # Reactions must come before the conversation is archived.
        ends = next((each.at for each in scene.lines if _ends(each)), self._now)
        for number, line in enumerate(scene.lines):
            if isinstance(line, ActionLine):
                yield self._step(line.at, partial(self._do, scene, line))
            else:
                yield from self._spoken(scene, line, number, ends - timedelta(seconds=1))

    def _step(self, at: datetime, action: Callable[[], object]) -> Step:
        self._count += 1
        return Step(at, self._count, action)

    def _soon(self, at: datetime, ends: datetime) -> datetime:
        return max(at, min(at + timedelta(seconds=self._dice.uniform(20, 900)), ends))

    def _spoken(
        self, scene: Scene, line: MessageLine, number: int, ends: datetime
    ) -> Iterator[Step]:
        key = f"demo-{scene.key}-{number}"
        yield self._step(line.at, partial(self._say, scene, line, key))
        if line.edited_to:
            at = self._soon(line.at, ends)
            yield self._step(at, partial(self._edit, line, key))
        for emoji, who in line.reactions:
            at = self._soon(line.at, ends)
            yield self._step(at, partial(self._react, key, emoji, who))
        if line.deleted_by:
            at = self._soon(line.at, ends)
            yield self._step(at, partial(self._delete, line, key))

    def _open(self, scene: Scene) -> None:
        owner = self._people[scene.owner]
        if scene.is_direct:
            other = self._people[scene.members[0]] if scene.members else owner
            opened = actions.open_direct(owner, other.pk)
        else:
            opened = actions.create_conversation(
                owner,
                name=scene.name,
                topic=scene.topic,
                access=scene.access,
                member_ids=[self._people[who].pk for who in scene.members],
            )
        self._conversations[scene.key] = opened.pk

    def _say(self, scene: Scene, line: MessageLine, key: str) -> None:
        sent = actions.send_message(
            self._people[line.who],
            self._conversations[scene.key],
            key=key,
            body=line.body,
            reply_to=self._said[f"{scene.key}#{line.answers}"] if line.answers else None,
        )
        self._said[key] = sent.message.pk
        if line.label:
            self._said[f"{scene.key}#{line.label}"] = sent.message.pk

    def _edit(self, line: MessageLine, key: str) -> None:
        actions.edit_message(self._people[line.who], self._said[key], line.edited_to)

    def _react(self, key: str, emoji: str, who: str) -> None:
        actions.react(self._people[who], self._said[key], emoji)

    def _delete(self, line: MessageLine, key: str) -> None:
        actions.delete_message(self._people[line.deleted_by], self._said[key])

    def _do(self, scene: Scene, line: ActionLine) -> None:
        user, conversation = self._people[line.who], self._conversations[scene.key]
        match line.verb:
            case "joins":
                actions.join(user, conversation)
            case "adds":
                ids = [self._people[who].pk for who in line.rest.split()]
                actions.add_members(user, conversation, ids)
            case "makes":
                who, role = line.rest.split()
                actions.change_role(user, conversation, self._people[who].pk, role)
            case "renames":
                actions.update_conversation(user, conversation, name=line.rest)
            case "archives":
                actions.archive(user, conversation)


def _ends(line: MessageLine | ActionLine) -> bool:
    return isinstance(line, ActionLine) and line.verb == "archives"


def catch_up_reading(now: datetime) -> None:
    """Mark older messages and everyone's own messages as read, so that only the latest are unread."""
    for membership in Membership.objects.filter(user__email__in=EMAILS).select_related("user"):
        here = Message.objects.filter(conversation_id=membership.conversation_id)
        old = here.filter(created_at__lt=now - STALE).aggregate(last=Max("seq"))["last"]
        own = here.filter(author_id=membership.user_id).aggregate(last=Max("seq"))["last"]
        actions.mark_read(membership.user, membership.conversation_id, max(old or 0, own or 0))


# --- any number of messages ------------------------------------------------------------------------


def get_large_conversation() -> Conversation:
    """Return the conversation for any number of messages. The first call creates it."""
    owner, *others = User.objects.filter(email__in=EMAILS).order_by("pk")
    found = Conversation.objects.filter(name=LARGE, created_by=owner, deleted_at=None).first()
    if found is not None:
        return found
    with timestamps.use_clock(_standing(timestamps.now() - SPAN)):
        return actions.create_conversation(
            owner,
            name=LARGE,
            topic="How does it feel with very many messages?",
            access=Conversation.Access.OPEN,
            member_ids=[person.pk for person in others],
        )


def grow(conversation: Conversation, size: int, progress: Progress) -> None:
    """Add messages until there are `size` entries, in transactions of at most limits.BULK.

    Their times are evenly spread from the latest message until now. After an interruption, call it again.
    Raises ChatError if messages are rejected, for example because the conversation is archived.
    """
    lines = list(bodies(scenes(timestamps.now())))
    members = Membership.objects.filter(conversation=conversation, user__email__in=EMAILS)
    speakers = list(members.order_by("user_id").values_list("user_id", flat=True))
    conversation.refresh_from_db()
    missing = max(0, size - conversation.last_seq)
    times = _evenly(conversation.last_text_at, timestamps.now(), missing)
    while (missing := size - conversation.last_seq) > 0:
        first = conversation.last_seq + 1
        drafts = [
            _anything(conversation.pk, seq, speakers, lines)
            for seq in range(first, first + min(missing, limits.BULK))
        ]
        with timestamps.use_clock(times.__next__):
            for result in actions.send_messages(drafts):
                if isinstance(result, ChatError):
                    raise result
        progress(len(drafts))
        conversation.refresh_from_db()


def _evenly(since: datetime, until: datetime, count: int) -> Iterator[datetime]:
    """Yield `count` evenly spread times between the two, then always `until`."""
    step = max(until - since, timedelta()) / (count + 1)
    at = since
    while True:
        at = min(at + step, until)
        yield at


def _anything(
    conversation_id: int, seq: int, speakers: list[int], lines: list[str]
) -> actions.Draft:
    dice = random.Random(seq)  # noqa: S311 - must give the same data every time
    return actions.Draft(
        user_id=dice.choice(speakers),
        conversation_id=conversation_id,
        key=f"many-{conversation_id}-{seq}",
        content=Content(dice.choice(lines)),
    )
