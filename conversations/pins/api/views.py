"""REST views of pinned messages."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from conversations import access
from conversations.api.views import ChatAPIView, message_response
from conversations.pins import actions, queries
from conversations.pins.wire import PinnedMessagesOut
from conversations.wire import MessageOut, message_to_wire

_MESSAGE = {200: MessageOut}


class PinsView(ChatAPIView):
    tag = "Messages"

    @extend_schema(operation_id="conversations_pins_list", responses=PinnedMessagesOut)
    def get(self, request: Request, conversation: int) -> Response:
        """List the pinned messages of a conversation, the latest pin first."""
        with access.reading(current_user(request), conversation):
            rows = queries.pinned_in(conversation)
        return Response(PinnedMessagesOut([message_to_wire(row) for row in rows]))


class PinView(ChatAPIView):
    tag = "Messages"
    without_body = frozenset({"PUT", "DELETE"})

    @extend_schema(operation_id="messages_pin", request=None, responses=_MESSAGE)
    def put(self, request: Request, message: int) -> Response:
        """Pin a message."""
        return message_response(actions.pin(current_user(request), message))

    @extend_schema(operation_id="messages_unpin", responses=_MESSAGE)
    def delete(self, request: Request, message: int) -> Response:
        """Unpin a message."""
        return message_response(actions.unpin(current_user(request), message))
