"""REST views of conversations and messages. They read with queries and write with actions."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from accounts.wire import person_to_wire, status_to_wire
from chatty.api import paging
from chatty.api.base import StrictAPIView
from chatty.api.fields import StrictQuery, StrictSerializer
from chatty.api.schema import ErrorOut
from chatty.common import structs
from chatty.common.errors import ChatError
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
    conversation_tag,
    history_to_wire,
    message_tag,
    message_to_wire,
)

_NOTHING = {204: None}
_CONVERSATION = {200: ConversationOut}
_MESSAGE = {200: MessageOut}


class EditConflictOut(ErrorOut, frozen=True, kw_only=True):
    """Someone else has edited the message."""

    message: Annotated[MessageOut, msgspec.Meta(description="The message as it is now.")]


class ChatAPIView(StrictAPIView):
    """Base class of the endpoints of conversations."""


class ConversationsView(ChatAPIView):
    tag = "Conversations"
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {
        "GET": serializers.ConversationsQuery
    }

    @extend_schema(
        operation_id="conversations_list",
        parameters=[serializers.ConversationsQuery],
        responses=ConversationsOut,
    )
    def get(self, request: Request) -> Response:
        """List your conversations, latest message first."""
        limit, cursor = self.query["limit"], self.query.get("cursor")
        after = paging.read_moment_cursor(cursor) if cursor else None
        user, text = current_user(request), self.query["q"]
        rows = queries.sidebar(user, limit=limit + 1, after=after, text=text)
        page, more = rows[:limit], len(rows) > limit
        place = paging.moment_cursor(page[-1].last_text_at, page[-1].id) if more else None
        return Response(ConversationsOut(page, paging.next_page(request, place)))

    @extend_schema(
        request=serializers.NewConversation,
        responses={201: ConversationOut, 200: ConversationOut},
    )
    def post(self, request: Request) -> Response:
        """Create a group (201). You become its owner. If the key was used before, return that group as it is
        now (200)."""
        given = validated_body(request, serializers.NewConversation)
        created = actions.create_conversation_once(
            current_user(request),
            key=given.get("key"),
            name=given["name"],
            topic=given["topic"],
            access=given["access"],
            member_ids=given["members"],
        )
        pk = created.conversation.pk
        if not created.is_new:
            return conversation_response(request, pk)
        address = reverse("api:conversation", args=[pk])
        return conversation_response(request, pk, status.HTTP_201_CREATED, Location=address)


class BrowseView(ChatAPIView):
    tag = "Conversations"
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
        place = paging.name_cursor(page[-1].folded_name, page[-1].pk) if more else None
        results = msgspec.convert(page, list[PublicConversationOut], from_attributes=True)
        return Response(PublicConversationsOut(results, paging.next_page(request, place)))


class DirectView(ChatAPIView):
    tag = "Conversations"

    @extend_schema(request=serializers.NewDirect, responses=_CONVERSATION)
    def post(self, request: Request) -> Response:
        """Get the direct message with a person, or start it.

        It appears for the other person with the first message. With several people, it is a private group
        without a name, the same one each time.
        """
        given = validated_body(request, serializers.NewDirect)
        people = given.get("users") or [given["user"]]
        return conversation_response(request, actions.open_with(current_user(request), people).pk)


class ConversationView(ChatAPIView):
    tag = "Conversations"
    conditional = frozenset({"PATCH", "DELETE"})

    @extend_schema(responses=_CONVERSATION)
    def get(self, request: Request, conversation: int) -> Response:
        """Get one of your conversations."""
        return conversation_response(request, conversation)

    @extend_schema(request=serializers.ConversationChange, responses=_CONVERSATION)
    def patch(self, request: Request, conversation: int) -> Response:
        """Change a conversation: name, topic, access or permissions, archive or unarchive. If one change
        fails, none is made."""
        given = validated_body(request, serializers.ConversationChange)
        user = current_user(request)
        actions.update_conversation(user, conversation, **given, if_match=self.if_match)
        return conversation_response(request, conversation)

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int) -> Response:
        """Permanently delete a group with all its messages."""
        actions.delete_conversation(current_user(request), conversation, if_match=self.if_match)
        return no_content()


class JoinView(ChatAPIView):
    tag = "Members"
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Join a public conversation."""
        actions.join(current_user(request), conversation)
        return conversation_response(request, conversation)


class LeaveView(ChatAPIView):
    tag = "Members"

    @extend_schema(request=serializers.Leaving, responses=_NOTHING)
    def post(self, request: Request, conversation: int) -> Response:
        """Leave a group. If you are its last owner, `owner` becomes the next, or else the admin or member
        who joined first."""
        given = validated_body(request, serializers.Leaving)
        actions.leave(current_user(request), conversation, next_owner=given.get("owner"))
        return no_content()


class MembersView(ChatAPIView):
    tag = "Members"

    @extend_schema(operation_id="conversations_members_list", responses=MembersOut)
    def get(self, request: Request, conversation: int) -> Response:
        """List all members: owners, then admins, then members, each by name."""
        with access.reading(current_user(request), conversation) as membership:
            rows = queries.members(membership.conversation)
            return Response(MembersOut(members_to_wire(conversation, rows)))

    @extend_schema(
        operation_id="conversations_members_add",
        request=serializers.NewMembers,
        responses={200: MembersOut},
    )
    def post(self, request: Request, conversation: int) -> Response:
        """Add people. Members are skipped; the response contains the new members only."""
        given = validated_body(request, serializers.NewMembers)
        rows = actions.add_members(current_user(request), conversation, given["users"])
        return Response(MembersOut(members_to_wire(conversation, rows)))


class MemberView(ChatAPIView):
    tag = "Members"

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
    tag = "Members"

    @extend_schema(operation_id="conversations_removals_list", responses=RemovalsOut)
    def get(self, request: Request, conversation: int) -> Response:
        """List the people who were removed and can't join again. For owners and admins."""
        membership = access.member_of(current_user(request), conversation)
        rows = queries.removals(access.require("allow-to-join", membership))
        results = [RemovalOut(person_to_wire(row.user), row.removed_at) for row in rows]
        return Response(RemovalsOut(results))


class RemovalView(ChatAPIView):
    tag = "Members"

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int, user: int) -> Response:
        """Allow someone who was removed to join again."""
        actions.allow_to_join(current_user(request), conversation, user)
        return no_content()


class MessagesView(ChatAPIView):
    tag = "Messages"
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": serializers.HistoryQuery}

    @extend_schema(
        operation_id="conversations_messages_list",
        parameters=[serializers.HistoryQuery],
        responses={
            200: PolymorphicProxySerializer(
                component_name="Messages",
                serializers={"history": HistoryOut, "changes": ChangesOut},  # type: ignore[dict-item]
                resource_type_field_name="type",
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
    tag = "Messages"
    conditional = frozenset({"PATCH", "DELETE"})

    @extend_schema(responses=_MESSAGE)
    def get(self, request: Request, message: int) -> Response:
        """Get a message."""
        found, membership = access.message_for(current_user(request), message)
        answer = message_response(queries.with_details(found))
        # Check again, as access.reading() does: the user may have been removed before this was read.
        access.member_of(current_user(request), membership.conversation_id)
        return answer

    @extend_schema(
        request=serializers.MessageChange, responses={200: MessageOut, 409: EditConflictOut}
    )
    def patch(self, request: Request, message: int) -> Response:
        """Edit one of your messages."""
        given = validated_body(request, serializers.MessageChange)
        base = {"base": given["edited_at"]} if "edited_at" in given else {}
        user = current_user(request)
        try:
            return message_response(
                actions.edit_message(user, message, given["body"], **base, if_match=self.if_match)
            )
        except actions.EditConflictError as conflict:
            current = message_to_wire(conflict.current)
            answer = EditConflictOut(**conflict.as_dict(), message=current)
            return Response(answer, status=conflict.status)

    @extend_schema(responses=_MESSAGE)
    def delete(self, request: Request, message: int) -> Response:
        """Delete a message. Returns the empty message that remains."""
        user = current_user(request)
        return message_response(actions.delete_message(user, message, if_match=self.if_match))


@extend_schema(parameters=[OpenApiParameter("emoji", str, "path", description="One emoji.")])
class ReactionView(ChatAPIView):
    tag = "Messages"
    without_body = frozenset({"PUT", "DELETE"})

    @extend_schema(operation_id="messages_reactions_add", request=None, responses=_MESSAGE)
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
    return Response(row, status=code, headers={"ETag": conversation_tag(row), **headers})


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
            status=status_to_wire(member.user),
            last_read_seq=member.last_read_seq if shows_presence else None,
            online=member.user_id in online if shows_presence else None,
            active=member.user.is_active,
        )
        for member in members
    ]


def message_response(message: Message, code: int = status.HTTP_200_OK, **headers: str) -> Response:
    tagged = {"ETag": message_tag(message), **headers}
    return Response(message_to_wire(message), status=code, headers=tagged)


def no_content() -> Response:
    return Response(status=status.HTTP_204_NO_CONTENT)
