"""REST views of custom emoji."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from conversations.api.views import ChatAPIView, validated_body
from conversations.custom_emoji import actions, limits, pictures, queries, rules, wire
from conversations.custom_emoji.api import serializers

_NOTHING = {204: None}


class EmojiListView(ChatAPIView):
    tag = "Custom emoji"

    def get_parsers(self) -> list[Any]:
        is_post = getattr(self.request, "method", "POST") == "POST"
        return [MultiPartParser()] if is_post else [JSONParser()]

    @extend_schema(operation_id="emoji_list", responses=wire.CustomEmojiListOut)
    def get(self, request: Request) -> Response:
        """List the custom emoji."""
        results = [wire.emoji_to_wire(each) for each in queries.listed()]
        return Response(wire.CustomEmojiListOut(results, rules.may_add(current_user(request))))

    @extend_schema(
        operation_id="emoji_create",
        request={"multipart/form-data": serializers.NewEmoji},
        responses={200: wire.CustomEmojiOut, 201: wire.CustomEmojiOut},
    )
    def post(self, request: Request) -> Response:
        """Add an emoji (201). If the key was used before, return that emoji (200)."""
        given = validated_body(request, serializers.NewEmoji)
        file = given["picture"]
        if file.size > limits.BYTES_MAX:
            raise pictures.too_big()
        emoji, is_new = actions.add(
            current_user(request), key=given["key"], name=given["name"], picture=file.read()
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(wire.emoji_to_wire(emoji), code)


class EmojiView(ChatAPIView):
    tag = "Custom emoji"

    @extend_schema(
        operation_id="emoji_rename",
        request=serializers.EmojiName,
        responses={200: wire.CustomEmojiOut},
    )
    def patch(self, request: Request, custom_emoji: int) -> Response:
        """Rename an emoji that you have added. Administrators can rename all."""
        given = validated_body(request, serializers.EmojiName)
        emoji = actions.rename(current_user(request), custom_emoji, given["name"])
        return Response(wire.emoji_to_wire(emoji))

    @extend_schema(operation_id="emoji_remove", responses=_NOTHING)
    def delete(self, request: Request, custom_emoji: int) -> Response:
        """Remove an emoji that you have added. Administrators can remove all."""
        actions.remove(current_user(request), custom_emoji)
        return Response(status=status.HTTP_204_NO_CONTENT)
