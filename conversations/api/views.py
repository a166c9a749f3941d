"""REST views of conversations and messages. They read with queries and write with actions."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from accounts.wire import person_to_wire
from chatty.api import paging
from chatty.api.base import StrictAPIView
from chatty.api.fields import StrictQuery, StrictSerializer
from chatty.common import structs
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from conversations import access, actions, queries
from conversations.api import serializers
from conversations.content import Content
from conversations.models import Membership, Message
from conversations.realtime.presence import online_users
from conversations.wire import (
    ChangesOut,
    ConversationOut,
    ConversationsOut,
    HistoryOut,
    MemberOut,
    MembersOut,
    MessageOut,
    PublicConversationOut,
    PublicConversationsOut,
    RemovalOut,
    RemovalsOut,
    changes_to_wire,
    history_to_wire,
    message_to_wire,
)

_NOTHING = {204: None}
_CONVERSATION = {200: ConversationOut}
_MESSAGE = {200: MessageOut}


class ChatAPIView(StrictAPIView):
    """Base class: limits the request rate of each user."""

    def check_throttles(self, request: Request) -> None:
        limiter.check_local("requests", str(current_user(request).pk))


class ConversationsView(ChatAPIView):
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": serializers.PageQuery}

    @extend_schema(
        operation_id="conversations_list",
        parameters=[serializers.PageQuery],
        responses=ConversationsOut,
    )
    def get(self, request: Request) -> Response:
        """List your conversations, latest message first."""
        limit, cursor = self.query["limit"], self.query.get("cursor")
        after = paging.read_moment_cursor(cursor) if cursor else None
        rows = queries.sidebar(current_user(request), limit=limit + 1, after=after)
        page, more = rows[:limit], len(rows) > limit
        place = paging.moment_cursor(page[-1].last_text_at, page[-1].id) if more else None
        return Response(ConversationsOut(page, paging.next_page(request, place)))

    @extend_schema(
        request=serializers.NewConversation,
        responses={201: ConversationOut},
    )
    def post(self, request: Request) -> Response:
        """Create a group. You become its owner."""
        given = validated_body(request, serializers.NewConversation)
        conversation = actions.create_conversation(
            current_user(request),
            name=given["name"],
            topic=given["topic"],
            access=given["access"],
            member_ids=given["members"],
        )
        address = reverse("api:conversation", args=[conversation.pk])
        return conversation_response(
            request, conversation.pk, status.HTTP_201_CREATED, Location=address
        )


class BrowseView(ChatAPIView):
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": serializers.BrowseQuery}

    @extend_schema(
        operation_id="conversations_browse",
        parameters=[serializers.BrowseQuery],
        responses=PublicConversationsOut,
    )
    def get(self, request: Request) -> Response:
        """List the public conversations by name."""
        limit, cursor = self.query["limit"], self.query.get("cursor")
        after = paging.read_name_cursor(cursor) if cursor else None
        rows = queries.browse(
            current_user(request), text=self.query["q"], limit=limit + 1, after=after
        )
        page, more = rows[:limit], len(rows) > limit
        place = paging.name_cursor(page[-1].name, page[-1].pk) if more else None
        results = msgspec.convert(page, list[PublicConversationOut], from_attributes=True)
        return Response(PublicConversationsOut(results, paging.next_page(request, place)))


class DirectView(ChatAPIView):
    @extend_schema(request=serializers.NewDirect, responses=_CONVERSATION)
    def post(self, request: Request) -> Response:
        """Get the direct message with a person, or start it.

        It appears for the other person with the first message.
        """
        given = validated_body(request, serializers.NewDirect)
        return conversation_response(
            request, actions.open_direct(current_user(request), given["user"]).pk
        )


class ConversationView(ChatAPIView):
    @extend_schema(responses=_CONVERSATION)
    def get(self, request: Request, conversation: int) -> Response:
        """Get one of your conversations."""
        return conversation_response(request, conversation)

    @extend_schema(request=serializers.ConversationChange, responses=_CONVERSATION)
    def patch(self, request: Request, conversation: int) -> Response:
        """Change name, topic or access, archive or unarchive. If one change fails, none is made."""
        given = validated_body(request, serializers.ConversationChange)
        actions.update_conversation(current_user(request), conversation, **given)
        return conversation_response(request, conversation)

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int) -> Response:
        """Permanently delete a group with all its messages."""
        actions.delete_conversation(current_user(request), conversation)
        return no_content()


class JoinView(ChatAPIView):
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Join a public conversation."""
        actions.join(current_user(request), conversation)
        return conversation_response(request, conversation)


class LeaveView(ChatAPIView):
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_NOTHING)
    def post(self, request: Request, conversation: int) -> Response:
        """Leave a group."""
        actions.leave(current_user(request), conversation)
        return no_content()


class MembersView(ChatAPIView):
    @extend_schema(operation_id="conversations_members_list", responses=MembersOut)
    def get(self, request: Request, conversation: int) -> Response:
        """List all members: owners, then admins, then members, each by name."""
        with access.reading(current_user(request), conversation) as membership:
            rows = queries.members(membership.conversation)
            return Response(MembersOut(members_to_wire(conversation, rows)))

    @extend_schema(request=serializers.NewMembers, responses={200: MembersOut})
    def post(self, request: Request, conversation: int) -> Response:
        """Add people. Members are skipped; the response contains the new members only."""
        given = validated_body(request, serializers.NewMembers)
        rows = actions.add_members(current_user(request), conversation, given["users"])
        return Response(MembersOut(members_to_wire(conversation, rows)))


class MemberView(ChatAPIView):
    @extend_schema(request=serializers.RoleChange, responses={200: MemberOut})
    def patch(self, request: Request, conversation: int, user: int) -> Response:
        """Change a member's role."""
        given = validated_body(request, serializers.RoleChange)
        member = actions.change_role(current_user(request), conversation, user, given["role"])
        return Response(members_to_wire(conversation, [member])[0])

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int, user: int) -> Response:
        """Remove a member. Use leave/ to leave yourself."""
        actions.remove_member(current_user(request), conversation, user)
        return no_content()


class RemovalsView(ChatAPIView):
    @extend_schema(operation_id="conversations_removals_list", responses=RemovalsOut)
    def get(self, request: Request, conversation: int) -> Response:
        """List the people who were removed and can't join again. For owners and admins."""
        membership = access.member_of(current_user(request), conversation)
        if not access.can_manage(membership):
            raise ChatError("not_allowed")
        rows = queries.removals(membership.conversation)
        results = [RemovalOut(person_to_wire(row.user), row.removed_at) for row in rows]
        return Response(RemovalsOut(results))


class RemovalView(ChatAPIView):
    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int, user: int) -> Response:
        """Allow someone who was removed to join again."""
        actions.allow_to_join(current_user(request), conversation, user)
        return no_content()


class ReadView(ChatAPIView):
    @extend_schema(request=serializers.ReadMark, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Mark everything up to a seq as read. The read mark never moves back."""
        given = validated_body(request, serializers.ReadMark)
        actions.mark_read(current_user(request), conversation, given["seq"])
        return conversation_response(request, conversation)


class UnreadView(ChatAPIView):
    @extend_schema(request=serializers.UnreadMark, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Mark the message with this seq and all later ones as unread."""
        given = validated_body(request, serializers.UnreadMark)
        actions.mark_unread(current_user(request), conversation, given["seq"])
        return conversation_response(request, conversation)


class LevelView(ChatAPIView):
    @extend_schema(request=serializers.LevelChange, responses=_CONVERSATION)
    def patch(self, request: Request, conversation: int) -> Response:
        """Change which messages you are notified of."""
        given = validated_body(request, serializers.LevelChange)
        actions.set_level(current_user(request), conversation, given["level"])
        return conversation_response(request, conversation)


class MessagesView(ChatAPIView):
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": serializers.HistoryQuery}

    @extend_schema(
        operation_id="conversations_messages_list",
        parameters=[serializers.HistoryQuery],
        responses={
            200: PolymorphicProxySerializer(
                component_name="Messages",
                serializers=[HistoryOut, ChangesOut],  # type: ignore[list-item]
                resource_type_field_name=None,
            )
        },
    )
    def get(self, request: Request, conversation: int) -> Response:
        """Get a page of messages (by default the latest), or the changes since a version."""
        with access.reading(current_user(request), conversation) as membership:
            if "since_version" in self.query:
                return self._changes(membership.conversation_id)
            page = queries.history(membership.conversation, **self.query)
        return Response(history_to_wire(page))

    def _changes(self, conversation: int) -> Response:
        version, limit = self.query["since_version"], self.query["limit"]
        changes = queries.changes_since(conversation, version, limit=limit)
        if changes is None:  # deleted after the membership was checked
            raise ChatError("not_found")
        return Response(changes_to_wire(changes))

    @extend_schema(
        request=serializers.NewMessage,
        responses={201: MessageOut, 200: MessageOut},
    )
    def post(self, request: Request, conversation: int) -> Response:
        """Send a message (201). If the key was used before, return that message as it is now (200)."""
        given = structs.parse(serializers.NewMessage, request.data)
        content = Content.within(given)
        sent = actions.send_content(current_user(request), conversation, content, key=given.key)
        if not sent.created:
            return message_response(sent.message)
        address = reverse("api:message", args=[sent.message.pk])
        return message_response(sent.message, status.HTTP_201_CREATED, Location=address)


class MessageView(ChatAPIView):
    @extend_schema(responses=_MESSAGE)
    def get(self, request: Request, message: int) -> Response:
        """Get a message."""
        found, membership = access.message_for(current_user(request), message)
        answer = message_response(queries.with_details(found))
        # Check again, as access.reading() does: the user may have been removed before this was read.
        access.member_of(current_user(request), membership.conversation_id)
        return answer

    @extend_schema(request=serializers.MessageChange, responses=_MESSAGE)
    def patch(self, request: Request, message: int) -> Response:
        """Edit one of your messages."""
        given = validated_body(request, serializers.MessageChange)
        base = {"base": given["edited_at"]} if "edited_at" in given else {}
        try:
            return message_response(
                actions.edit_message(current_user(request), message, given["body"], **base)
            )
        except actions.EditConflictError as conflict:
            answer = {**conflict.as_dict(), "message": message_to_wire(conflict.current)}
            return Response(answer, status=conflict.status)

    @extend_schema(responses=_MESSAGE)
    def delete(self, request: Request, message: int) -> Response:
        """Delete a message. Returns the tombstone that remains."""
        return message_response(actions.delete_message(current_user(request), message))


@extend_schema(parameters=[OpenApiParameter("emoji", str, "path", description="One emoji.")])
class ReactionView(ChatAPIView):
    without_body = frozenset({"PUT", "DELETE"})

    @extend_schema(request=None, responses=_MESSAGE)
    def put(self, request: Request, message: int, emoji: str) -> Response:
        """Add your reaction to a message."""
        return message_response(actions.react(current_user(request), message, emoji))

    @extend_schema(responses=_MESSAGE)
    def delete(self, request: Request, message: int, emoji: str) -> Response:
        """Remove your reaction from a message."""
        return message_response(actions.unreact(current_user(request), message, emoji))


# --- helpers ---------------------------------------------------------------------------------------


def validated_body(request: Request, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
    body = serializer_class(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def conversation_response(
    request: Request, conversation_id: int, code: int = status.HTTP_200_OK, **headers: str
) -> Response:
    """Return a response with the conversation as the requesting user sees it."""
    row = queries.sidebar_row(current_user(request), conversation_id, even_unspoken=True)
    if row is None:
        raise ChatError("not_found")
    return Response(row, status=code, headers=headers)


def members_to_wire(conversation_id: int, members: list[Membership]) -> list[MemberOut]:
    """Return members as other members see them: presence and read marks only in small conversations."""
    shows_presence = bool(
        queries.small_conversations([conversation_id], most=settings.PRESENCE_MEMBERS)
    )
    online = online_users(member.user_id for member in members if member.user.is_active)
    return [
        MemberOut(
            user=person_to_wire(member.user),
            role=member.role,
            joined_at=member.joined_at,
            last_read_seq=member.last_read_seq if shows_presence else None,
            online=member.user_id in online if shows_presence else None,
        )
        for member in members
    ]


def message_response(message: Message, code: int = status.HTTP_200_OK, **headers: str) -> Response:
    return Response(message_to_wire(message), status=code, headers=headers)


def no_content() -> Response:
    return Response(status=status.HTTP_204_NO_CONTENT)
