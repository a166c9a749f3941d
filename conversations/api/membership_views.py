"""REST views of your own membership of a conversation: read mark, notification level, favourite."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from conversations import actions
from conversations.api import serializers
from conversations.api.views import ChatAPIView, conversation_response, validated_body
from conversations.wire import ConversationOut

_CONVERSATION = {200: ConversationOut}


class ReadView(ChatAPIView):
    tag = "Messages"

    @extend_schema(request=serializers.ReadMark, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Mark everything up to a seq as read. The read mark never moves back."""
        given = validated_body(request, serializers.ReadMark)
        actions.mark_read(current_user(request), conversation, given["seq"])
        return conversation_response(request, conversation)


class UnreadView(ChatAPIView):
    tag = "Messages"

    @extend_schema(request=serializers.UnreadMark, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Mark the message with this seq and all later ones as unread."""
        given = validated_body(request, serializers.UnreadMark)
        actions.mark_unread(current_user(request), conversation, given["seq"])
        return conversation_response(request, conversation)


class LevelView(ChatAPIView):
    tag = "Conversations"

    @extend_schema(request=serializers.LevelChange, responses=_CONVERSATION)
    def patch(self, request: Request, conversation: int) -> Response:
        """Change which messages you are notified of."""
        given = validated_body(request, serializers.LevelChange)
        actions.set_level(current_user(request), conversation, given["level"])
        return conversation_response(request, conversation)


class FavouriteView(ChatAPIView):
    tag = "Conversations"
    without_body = frozenset({"PUT", "DELETE"})

    @extend_schema(
        operation_id="conversations_favourite_add", request=None, responses=_CONVERSATION
    )
    def put(self, request: Request, conversation: int) -> Response:
        """Add a conversation to your favourites."""
        actions.set_favourite(current_user(request), conversation, True)
        return conversation_response(request, conversation)

    @extend_schema(operation_id="conversations_favourite_remove", responses=_CONVERSATION)
    def delete(self, request: Request, conversation: int) -> Response:
        """Remove a conversation from your favourites."""
        actions.set_favourite(current_user(request), conversation, False)
        return conversation_response(request, conversation)
