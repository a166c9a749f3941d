"""REST doors to conversations. They read through queries, write through actions, and answer."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from chatty.api import paging
from chatty.api.base import StrictAPIView
from chatty.api.fields import StrictQuery, StrictSerializer
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from conversations import access, actions, queries
from conversations.api import serializers
from conversations.models import Membership, Message
from conversations.realtime.presence import online_users
from conversations.wire import message_to_wire

_NOTHING = {204: None}
_CONVERSATION = {200: serializers.ConversationSerializer}
_MESSAGE = {200: serializers.MessageSerializer}


class ChatAPIView(StrictAPIView):
    """What all of them share: nobody knocks too fast."""

    def check_throttles(self, request: Request) -> None:
        limiter.check_local("requests", str(current_user(request).pk))


class ConversationsView(ChatAPIView):
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": serializers.PageQuery}

    @extend_schema(
        operation_id="conversations_list",
        parameters=[serializers.PageQuery],
        responses=serializers.ConversationsSerializer,
    )
    def get(self, request: Request) -> Response:
        """Your conversations, the one with the latest message first."""
        limit, cursor = self.query["limit"], self.query.get("cursor")
        after = paging.read_moment_cursor(cursor) if cursor else None
        rows = queries.sidebar(current_user(request), limit=limit + 1, after=after)
        page, more = rows[:limit], len(rows) > limit
        place = paging.moment_cursor(page[-1].last_text_at, page[-1].id) if more else None
        results = serializers.ConversationSerializer(page, many=True).data
        return Response({"results": results, "next": paging.next_page(request, place)})

    @extend_schema(
        request=serializers.NewConversation,
        responses={201: serializers.ConversationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Open a group. It is yours."""
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
        responses=serializers.FoundPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """The open conversations of this Chatty by name."""
        limit, cursor = self.query["limit"], self.query.get("cursor")
        after = paging.read_name_cursor(cursor) if cursor else None
        rows = queries.browse(
            current_user(request), text=self.query["q"], limit=limit + 1, after=after
        )
        page, more = rows[:limit], len(rows) > limit
        place = paging.name_cursor(page[-1].name, page[-1].pk) if more else None
        results = serializers.FoundSerializer(page, many=True).data
        return Response({"results": results, "next": paging.next_page(request, place)})


class DirectView(ChatAPIView):
    @extend_schema(request=serializers.NewDirect, responses=_CONVERSATION)
    def post(self, request: Request) -> Response:
        """The one conversation of you and somebody, opened at first need.

        It appears for the other with its first message.
        """
        given = validated_body(request, serializers.NewDirect)
        return conversation_response(
            request, actions.open_direct(current_user(request), given["user"]).pk
        )


class ConversationView(ChatAPIView):
    @extend_schema(responses=_CONVERSATION)
    def get(self, request: Request, conversation: int) -> Response:
        """One of your conversations."""
        return conversation_response(request, conversation)

    @extend_schema(request=serializers.ConversationChange, responses=_CONVERSATION)
    def patch(self, request: Request, conversation: int) -> Response:
        """Change name, topic or access, archive it or take it out: all of it or nothing."""
        given = validated_body(request, serializers.ConversationChange)
        actions.update_conversation(current_user(request), conversation, **given)
        return conversation_response(request, conversation)

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int) -> Response:
        """Delete a group for good, with every word in it."""
        actions.delete_conversation(current_user(request), conversation)
        return no_content()


class JoinView(ChatAPIView):
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Become a member of an open conversation."""
        actions.join(current_user(request), conversation)
        return conversation_response(request, conversation)


class LeaveView(ChatAPIView):
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_NOTHING)
    def post(self, request: Request, conversation: int) -> Response:
        """Stop being a member."""
        actions.leave(current_user(request), conversation)
        return no_content()


class MembersView(ChatAPIView):
    @extend_schema(
        operation_id="conversations_members_list", responses=serializers.MembersSerializer
    )
    def get(self, request: Request, conversation: int) -> Response:
        """All members: owners, admins and members, each by name."""
        with access.reading(current_user(request), conversation) as membership:
            rows = queries.members(membership.conversation)
            return Response({"results": serialize_members(conversation, rows)})

    @extend_schema(request=serializers.NewMembers, responses={200: serializers.MembersSerializer})
    def post(self, request: Request, conversation: int) -> Response:
        """Add people; who is in it already is passed over. Answers with those who came."""
        given = validated_body(request, serializers.NewMembers)
        rows = actions.add_members(current_user(request), conversation, given["users"])
        return Response({"results": serialize_members(conversation, rows)})


class MemberView(ChatAPIView):
    @extend_schema(request=serializers.RoleChange, responses={200: serializers.MemberSerializer})
    def patch(self, request: Request, conversation: int, user: int) -> Response:
        """Make a member owner, admin or member."""
        given = validated_body(request, serializers.RoleChange)
        member = actions.change_role(current_user(request), conversation, user, given["role"])
        return Response(serialize_members(conversation, [member])[0])

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int, user: int) -> Response:
        """Take somebody out. Yourself: leave/ instead."""
        actions.remove_member(current_user(request), conversation, user)
        return no_content()


class RemovalsView(ChatAPIView):
    @extend_schema(
        operation_id="conversations_removals_list", responses=serializers.RemovalsSerializer
    )
    def get(self, request: Request, conversation: int) -> Response:
        """Who was removed and cannot join again. For owners and admins."""
        membership = access.member_of(current_user(request), conversation)
        if not access.can_manage(membership):
            raise ChatError("not_allowed")
        rows = queries.removals(membership.conversation)
        return Response({"results": serializers.RemovalSerializer(rows, many=True).data})


class RemovalView(ChatAPIView):
    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int, user: int) -> Response:
        """Let someone who was removed join again by themselves."""
        actions.allow_to_join(current_user(request), conversation, user)
        return no_content()


class ReadView(ChatAPIView):
    @extend_schema(request=serializers.ReadMark, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Everything up to this seq was seen. Never goes back."""
        given = validated_body(request, serializers.ReadMark)
        actions.mark_read(current_user(request), conversation, given["seq"])
        return conversation_response(request, conversation)


class UnreadView(ChatAPIView):
    @extend_schema(request=serializers.UnreadMark, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Make the message at this seq, and all after it, unread again."""
        given = validated_body(request, serializers.UnreadMark)
        actions.mark_unread(current_user(request), conversation, given["seq"])
        return conversation_response(request, conversation)


class LevelView(ChatAPIView):
    @extend_schema(request=serializers.LevelChange, responses=_CONVERSATION)
    def patch(self, request: Request, conversation: int) -> Response:
        """Choose what you are notified of."""
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
                serializers=[serializers.HistorySerializer, serializers.ChangesSerializer],
                resource_type_field_name=None,
            )
        },
    )
    def get(self, request: Request, conversation: int) -> Response:
        """A page of history (without parameters: the latest), or what changed since a version."""
        with access.reading(current_user(request), conversation) as membership:
            if "since_version" in self.query:
                return self._changes(membership.conversation_id)
            page = queries.history(membership.conversation, **self.query)
        return Response(
            {
                "messages": [message_to_wire(message) for message in page.messages],
                "position": page.position,
                "has_older": page.has_older,
                "has_newer": page.has_newer,
            }
        )

    def _changes(self, conversation: int) -> Response:
        version, limit = self.query["since_version"], self.query["limit"]
        changes = queries.changes_since(conversation, version, limit=limit)
        if changes is None:  # deleted since we looked
            raise ChatError("not_found")
        return Response(
            {
                "messages": [message_to_wire(message) for message in changes.messages],
                "version": changes.version,
                "more": changes.more,
                "reset": changes.reset,
            }
        )

    @extend_schema(
        request=serializers.NewMessage,
        responses={201: serializers.MessageSerializer, 200: serializers.MessageSerializer},
    )
    def post(self, request: Request, conversation: int) -> Response:
        """Say something: 201. The same key again answers 200 with the message as it is now."""
        given = validated_body(request, serializers.NewMessage)
        sent = actions.send_message(current_user(request), conversation, **given)
        if not sent.created:
            return message_response(sent.message)
        address = reverse("api:message", args=[sent.message.pk])
        return message_response(sent.message, status.HTTP_201_CREATED, Location=address)


class MessageView(ChatAPIView):
    @extend_schema(responses=_MESSAGE)
    def get(self, request: Request, message: int) -> Response:
        """One message, as it is now."""
        found, membership = access.message_for(current_user(request), message)
        answer = message_response(queries.with_details(found))
        # As access.reading(): who was removed meanwhile must not see what it says since.
        access.member_of(current_user(request), membership.conversation_id)
        return answer

    @extend_schema(request=serializers.MessageChange, responses=_MESSAGE)
    def patch(self, request: Request, message: int) -> Response:
        """Replace the text of a message of yours."""
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
        """Take back a message. Answers with the tombstone that stays in its place."""
        return message_response(actions.delete_message(current_user(request), message))


@extend_schema(parameters=[OpenApiParameter("emoji", str, "path", description="One emoji.")])
class ReactionView(ChatAPIView):
    without_body = frozenset({"PUT", "DELETE"})

    @extend_schema(request=None, responses=_MESSAGE)
    def put(self, request: Request, message: int, emoji: str) -> Response:
        """Put your emoji on a message."""
        return message_response(actions.react(current_user(request), message, emoji))

    @extend_schema(responses=_MESSAGE)
    def delete(self, request: Request, message: int, emoji: str) -> Response:
        """Take your emoji off a message."""
        return message_response(actions.unreact(current_user(request), message, emoji))


# --- what they share -------------------------------------------------------------------------------


def validated_body(request: Request, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
    body = serializer_class(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def conversation_response(
    request: Request, conversation_id: int, code: int = status.HTTP_200_OK, **headers: str
) -> Response:
    """Answer with a conversation as the one who asks sees it."""
    row = queries.sidebar_row(current_user(request), conversation_id, even_unspoken=True)
    if row is None:
        raise ChatError("not_found")
    return Response(serializers.ConversationSerializer(row).data, status=code, headers=headers)


def serialize_members(conversation_id: int, members: list[Membership]) -> list[Any]:
    """Return members as others of the conversation see them."""
    shows_presence = bool(
        queries.small_conversations([conversation_id], most=settings.PRESENCE_MEMBERS)
    )
    open_accounts = [member.user_id for member in members if member.user.is_active]
    context = {"shows_presence": shows_presence, "online": online_users(open_accounts)}
    return list(serializers.MemberSerializer(members, many=True, context=context).data)


def message_response(message: Message, code: int = status.HTTP_200_OK, **headers: str) -> Response:
    return Response(message_to_wire(message), status=code, headers=headers)


def no_content() -> Response:
    return Response(status=status.HTTP_204_NO_CONTENT)
