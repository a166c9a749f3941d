"""A server that crashes once, at a critical moment of storing "CRASH", and never again in its installation:

    python -m tests.fault.failing MOMENT manage.py serve ...

MOMENT: before-commit, after-commit (no one has been notified yet) or before-ack (everyone but the sender has
been).
Or at a critical moment of the first email: email-claimed, email-prepared, or email-sent (the mail server has
answered).
newer-uvicorn: it does not crash, but finds a version of uvicorn that it does not know.
former-version: it does not crash, but speaks the previous version of the protocol.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

WORD = "CRASH"
MOMENTS = ("before-commit", "after-commit", "before-ack")
EMAIL_MOMENTS = ("email-claimed", "email-prepared", "email-sent")
EMAIL_LEASE = 2.0  # seconds after which another process repeats what this one has begun
NEWER_UVICORN = "newer-uvicorn"
FORMER_VERSION = "former-version"


def die_once() -> None:
    mark = Path(os.environ["DATA_DIR"]) / "has-died"
    if not mark.exists():
        mark.touch()
        os._exit(9)


def fail_at(moment: str) -> None:
    from django.db import transaction

    from conversations import bulk, publisher
    from conversations.actions import sending
    from conversations.changes import MessageChanged
    from conversations.sockets.consumer import ChatConsumer

    if moment == "before-commit":
        store = bulk.store

        def stored(messages: Any, conversations: Any, **how: Any) -> None:
            ends = any(WORD in message.body for message in messages)
            store(messages, conversations, **(how | {"commit": False} if ends else how))
            if ends:
                die_once()

        bulk.store = stored
    elif moment == "after-commit":
        tell = publisher.publish_after_commit

        def told(*events: Any) -> None:
            if any(
                WORD in each.message.body for each in events if isinstance(each, MessageChanged)
            ):
                transaction.on_commit(die_once)  # before the callbacks of tell()
            tell(*events)

        sending.publisher.publish_after_commit = told
    else:
        answer = ChatConsumer._answer_send

        def answered(self: ChatConsumer, frame: Any, result: Any) -> None:
            if WORD in frame.body:
                die_once()
            answer(self, frame, result)

        ChatConsumer._answer_send = answered  # type: ignore[method-assign]


def fail_at_email(moment: str) -> None:
    import msgspec

    from accounts import mails
    from chatty.jobs import deliveries

    deliveries.LEASE_SECONDS = EMAIL_LEASE
    (kind,) = deliveries._kinds.values()

    def prepare(delivery: Any) -> Any:
        if moment == "email-claimed":
            die_once()
        return kind.prepare(delivery)

    def send(prepared: Any) -> None:
        if moment == "email-prepared":
            die_once()
        kind.send(prepared)
        if moment == "email-sent":
            die_once()

    deliveries._kinds[mails.KIND] = msgspec.structs.replace(kind, prepare=prepare, send=send)


def speak_former_version() -> None:
    from conversations import events, protocol
    from conversations.realtime import layer

    events.LAYER_TYPE = layer.LAYER_TYPE = "chatty.event"
    (protocol.SUBPROTOCOL,) = protocol.FORMER_SUBPROTOCOLS
    protocol.FORMER_SUBPROTOCOLS = ()  # type: ignore[assignment]


def main() -> None:
    moment, *arguments = sys.argv[1:]
    if moment == NEWER_UVICORN:
        import uvicorn

        uvicorn.__version__ = "0.99.0"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatty.settings")
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    if moment in MOMENTS:
        fail_at(moment)
    elif moment in EMAIL_MOMENTS:
        fail_at_email(moment)
    elif moment == FORMER_VERSION:
        speak_former_version()
    execute_from_command_line(arguments)


if __name__ == "__main__":
    main()
