"""The client of docs/examples/ as a device of the proof of delivery.

It uses the document's client for everything: connecting, positions, quotes and the outbox. The device only
notes what was attempted and seen.
"""

from __future__ import annotations

from typing import Any

from docs.examples.chatty_client import ApiError, Client, Json, Tokens
from proof import rest
from proof.client import Device
from proof.history import Saying


class FixedTokens(Tokens):
    """Trials are shorter than the life of a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def access(self) -> str:
        return self._token


class ReferenceDevice(Device):
    """A Device whose connection, copies and outbox are those of the reference client."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.client = _Recorded(self)
        self._sayings: dict[str, Saying] = {}

    @property
    def views(self) -> Any:  # rooms, which have the same attributes as views
        return self.client.rooms

    @views.setter
    def views(self, views: Any) -> None:
        """Device sets its own, which are not used."""

    async def run(self) -> None:
        await self.client.run()

    @property
    def is_connected(self) -> bool:
        return self.client.is_connected

    @property
    def unsettled(self) -> int:
        return len(self.client.unsent.entries)

    def hang_up(self) -> None:
        if self.client._socket is not None:
            self.client._socket.transport.abort()

    def close(self) -> None:
        for task in self.client._tasks:
            task.cancel()

    def _queue(self, saying: Saying) -> None:
        self._sayings[saying.key] = saying
        self.client.send(saying.conversation, saying.body, saying.reply_to, saying.key)

    async def say_with_file(self, conversation: int) -> None:
        """The client of the documents sends no files."""
        self.say(conversation)

    def say_again(self, saying: Saying) -> None:
        self._queue(saying)

    def trespass(self, conversation: int) -> None:
        self.client.say("sync", conversation=conversation, version=0)


class _Recorded(Client):
    def __init__(self, device: ReferenceDevice) -> None:
        super().__init__("", FixedTokens(device.person.token), history_pages=1000)
        self.device = device

    async def _open(self) -> Any:
        self.server = f"http://127.0.0.1:{self.device.rng.choice(self.device.ports)}"
        opening = await super()._open()
        self.device.connections += 1
        return opening

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            status, answer = await self.device.call(method, path, body)
        except rest.NoAnswerError as error:
            raise OSError from error
        if status >= 400:
            raise ApiError(status, answer)
        return answer

    def handle(self, frame: Json) -> None:
        messages = frame.get("messages", [])
        if frame["type"] == "message":
            messages = [frame["message"]]
        for message in messages:
            number = frame["conversation"]
            self.device.history.saw(self.device.person.id, number, message, self.device.name)
        if saying := self.device._sayings.get(frame.get("key", "")):
            self._note(saying, frame)
        super().handle(frame)

    def say(self, kind: str, **fields: Any) -> None:
        if kind == "send" and self.is_connected:
            self.device._sayings[fields["key"]].tries += 1
        super().say(kind, **fields)

    def _note(self, saying: Saying, frame: Json) -> None:
        if frame["type"] == "sent" and saying.outcome == "ok":
            if (saying.id, saying.seq) != (frame["id"], frame["seq"]):
                self.device.history.found("duplicated", f"{saying.key} was stored twice: {frame}")
        elif frame["type"] == "sent":
            saying.accept(id=frame["id"], seq=frame["seq"], version=frame["version"])
            self.device.history.acknowledged += 1
        elif frame["type"] == "error" and not frame["retry"] and not saying.settled:
            saying.refuse()
