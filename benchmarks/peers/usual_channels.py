"""The usual Channels chat: one channel per socket, one ORM save per message.

It is the tutorial's consumer with a table, a response to the sender, and raised limits. It has no
sign-in, memberships, edits or unread counts. `python -m benchmarks.peers.usual_channels` creates the
table, and `daphne benchmarks.peers.usual_channels:application` serves. Both need DATABASE_URL and
REDIS_URL.
"""

from __future__ import annotations

import os
from typing import Any

import django
import environ
from django.conf import settings

settings.configure(
    SECRET_KEY="for a measurement",
    DATABASES={
        "default": {**environ.Env.db_url_config(os.environ["DATABASE_URL"]), "CONN_MAX_AGE": 600}
    },
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # With the defaults (100 of each, 5 s) it drops messages and closes sockets under load.
            "CONFIG": {
                "hosts": [
                    {
                        "address": os.environ["REDIS_URL"],
                        "max_connections": 20_000,
                        "socket_timeout": 120,
                    }
                ],
                "capacity": 20_000,
            },
        }
    },
    USE_TZ=True,
)
django.setup()

from channels.db import database_sync_to_async  # noqa: E402 - Django has to be set up first
from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import re_path  # noqa: E402


class Message(models.Model):
    room = models.CharField(max_length=40)
    author = models.CharField(max_length=40)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "usual"
        indexes = [models.Index(fields=["room", "id"], name="usual_by_room")]

    def __str__(self) -> str:
        return self.body


class ChatConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        about = self.scope["url_route"]["kwargs"]
        self.room, self.author = f"room.{about['room']}", about["author"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send_json({"type": "hello"})

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive_json(self, content: dict[str, Any], **_kwargs: Any) -> None:
        message = await self.save(content["body"])
        await self.send_json({"type": "sent", "key": content["key"], "id": message.pk})
        event = {
            "type": "chat.message",
            "message": {
                "id": message.pk,
                "author": message.author,
                "body": message.body,
                "created_at": message.created_at.isoformat(),
            },
        }
        await self.channel_layer.group_send(self.room, event)

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "message", **event["message"]})

    @database_sync_to_async
    def save(self, body: str) -> Message:
        message = Message(room=self.room, author=self.author, body=body)
        message.save()
        return message


application = ProtocolTypeRouter(
    {
        "websocket": URLRouter(
            [re_path(r"^ws/(?P<room>\w+)/(?P<author>\w+)/$", ChatConsumer.as_asgi())]
        )
    }
)

if __name__ == "__main__":
    with connection.schema_editor() as editor:
        editor.create_model(Message)
