"""REST doors to conversations. They read through queries, write through actions, and answer."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from chatty.api.base import ApiView
from chatty.api.fields import Given, Query
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from conversations import access, actions, queries
from conversations.api import paging, serializers
from conversations.models import Membership, Message
from conversations.realtime.presence import online_users
from conversations.wire import message_to_wire

_NOTHING = {204: None}
_CONVERSATION = {200: serializers.ConversationSerializer}
_MESSAGE = {200: serializers.MessageSerializer}


class Door(ApiView):
    """What all of them share: nobody knocks too fast."""

    def check_throttles(self, request: Request) -> None:
        limiter.check_local("requests", str(own(request).pk))


class ConversationsView(Door):
    queries_of: ClassVar[dict[str, type[Query]]] = {"GET": serializers.PageQuery}

    @extend_schema(
        operation_id="conversations_list",
        parameters=[serializers.PageQuery],
        responses=serializers.ConversationsSerializer,
    )
    def get(self, request: Request) -> Response:
        """Your conversations, the one with the latest message first."""
        limit, cursor = self.asked["limit"], self.asked.get("cursor")
        after = paging.read_moment_cursor(cursor) if cursor else None
        rows = queries.sidebar(own(request), limit=limit + 1, after=after)
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
        given = given_in(request, serializers.NewConversation)
        conversation = actions.create_conversation(
            own(request),
            name=given["name"],
            topic=given["topic"],
            access=given["access"],
            member_ids=given["members"],
        )
        address = reverse("api:conversation", args=[conversation.pk])
        return seen(request, conversation.pk, status.HTTP_201_CREATED, Location=address)


class BrowseView(Door):
    queries_of: ClassVar[dict[str, type[Query]]] = {"GET": serializers.BrowseQuery}

    @extend_schema(
        operation_id="conversations_browse",
        parameters=[serializers.BrowseQuery],
        responses=serializers.FoundPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """The open conversations of this Chatty by name."""
        limit, cursor = self.asked["limit"], self.asked.get("cursor")
        after = paging.read_name_cursor(cursor) if cursor else None
        rows = queries.browse(own(request), text=self.asked["q"], limit=limit + 1, after=after)
        page, more = rows[:limit], len(rows) > limit
        place = paging.name_cursor(page[-1].name, page[-1].pk) if more else None
        results = serializers.FoundSerializer(page, many=True).data
        return Response({"results": results, "next": paging.next_page(request, place)})


class DirectView(Door):
    @extend_schema(request=serializers.NewDirect, responses=_CONVERSATION)
    def post(self, request: Request) -> Response:
        """The one conversation of you and somebody, opened at first need.

        It appears for the other with its first message.
        """
        given = given_in(request, serializers.NewDirect)
        return seen(request, actions.open_direct(own(request), given["user"]).pk)


class ConversationView(Door):
    @extend_schema(responses=_CONVERSATION)
    def get(self, request: Request, conversation: int) -> Response:
        """One of your conversations."""
        return seen(request, conversation)

    @extend_schema(request=serializers.ConversationChange, responses=_CONVERSATION)
    def patch(self, request: Request, conversation: int) -> Response:
        """Change name, topic or access, archive it or take it out: all of it or nothing."""
        given = given_in(request, serializers.ConversationChange)
        actions.update_conversation(own(request), conversation, **given)
        return seen(request, conversation)

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int) -> Response:
        """Delete a group for good, with every word in it."""
        actions.delete_conversation(own(request), conversation)
        return nothing()


class JoinView(Door):
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Become a member of an open conversation."""
        actions.join(own(request), conversation)
        return seen(request, conversation)


class LeaveView(Door):
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_NOTHING)
    def post(self, request: Request, conversation: int) -> Response:
        """Stop being a member."""
        actions.leave(own(request), conversation)
        return nothing()


class MembersView(Door):
    @extend_schema(
        operation_id="conversations_members_list", responses=serializers.MembersSerializer
    )
    def get(self, request: Request, conversation: int) -> Response:
        """All members: owners, admins and members, each by name."""
        with access.reading(own(request), conversation) as membership:
            rows = queries.members(membership.conversation)
            return Response({"results": members_seen(conversation, rows)})

    @extend_schema(request=serializers.NewMembers, responses={200: serializers.MembersSerializer})
    def post(self, request: Request, conversation: int) -> Response:
        """Add people; who is in it already is passed over. Answers with those who came."""
        given = given_in(request, serializers.NewMembers)
        rows = actions.add_members(own(request), conversation, given["users"])
        return Response({"results": members_seen(conversation, rows)})


class MemberView(Door):
    @extend_schema(request=serializers.RoleChange, responses={200: serializers.MemberSerializer})
    def patch(self, request: Request, conversation: int, user: int) -> Response:
        """Make a member owner, admin or member."""
        given = given_in(request, serializers.RoleChange)
        member = actions.change_role(own(request), conversation, user, given["role"])
        return Response(members_seen(conversation, [member])[0])

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int, user: int) -> Response:
        """Take somebody out. Yourself: leave/ instead."""
        actions.remove_member(own(request), conversation, user)
        return nothing()


class RemovalsView(Door):
    @extend_schema(
        operation_id="conversations_removals_list", responses=serializers.RemovalsSerializer
    )
    def get(self, request: Request, conversation: int) -> Response:
        """Who was removed and cannot join again. For owners and admins."""
        membership = access.member_of(own(request), conversation)
        if not access.can_manage(membership):
            raise ChatError("not_allowed")
        rows = queries.removals(membership.conversation)
        return Response({"results": serializers.RemovalSerializer(rows, many=True).data})


class RemovalView(Door):
    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int, user: int) -> Response:
        """Let someone who was removed join again by themselves."""
        actions.allow_to_join(own(request), conversation, user)
        return nothing()


class ReadView(Door):
    @extend_schema(request=serializers.ReadMark, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Everything up to this seq was seen. Never goes back."""
        given = given_in(request, serializers.ReadMark)
        actions.mark_read(own(request), conversation, given["seq"])
        return seen(request, conversation)


class UnreadView(Door):
    @extend_schema(request=serializers.UnreadMark, responses=_CONVERSATION)
    def post(self, request: Request, conversation: int) -> Response:
        """Make the message at this seq, and all after it, unread again."""
        given = given_in(request, serializers.UnreadMark)
        actions.mark_unread(own(request), conversation, given["seq"])
        return seen(request, conversation)


class LevelView(Door):
    @extend_schema(request=serializers.LevelChange, responses=_CONVERSATION)
    def patch(self, request: Request, conversation: int) -> Response:
        """Choose what you are notified of."""
        given = given_in(request, serializers.LevelChange)
        actions.set_level(own(request), conversation, given["level"])
        return seen(request, conversation)


class MessagesView(Door):
    queries_of: ClassVar[dict[str, type[Query]]] = {"GET": serializers.HistoryQuery}

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
        with access.reading(own(request), conversation) as membership:
            if "since_version" in self.asked:
                return self._changes(membership.conversation_id)
            page = queries.history(membership.conversation, **self.asked)
        return Response(
            {
                "messages": [message_to_wire(message) for message in page.messages],
                "position": page.position,
                "has_older": page.has_older,
                "has_newer": page.has_newer,
            }
        )

    def _changes(self, conversation: int) -> Response:
        version, limit = self.asked["since_version"], self.asked["limit"]
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
        given = given_in(request, serializers.NewMessage)
        sent = actions.send_message(own(request), conversation, **given)
        if not sent.created:
            return said(sent.message)
        address = reverse("api:message", args=[sent.message.pk])
        return said(sent.message, status.HTTP_201_CREATED, Location=address)


class MessageView(Door):
    @extend_schema(responses=_MESSAGE)
    def get(self, request: Request, message: int) -> Response:
        """One message, as it is now."""
        found, membership = access.message_for(own(request), message)
        answer = said(queries.with_details(found))
        # As access.reading(): who was removed meanwhile must not see what it says since.
        access.member_of(own(request), membership.conversation_id)
        return answer

    @extend_schema(request=serializers.MessageChange, responses=_MESSAGE)
    def patch(self, request: Request, message: int) -> Response:
        """Replace the text of a message of yours."""
        given = given_in(request, serializers.MessageChange)
        base = {"base": given["edited_at"]} if "edited_at" in given else {}
        try:
            return said(actions.edit_message(own(request), message, given["body"], **base))
        except actions.EditConflictError as conflict:
            answer = {**conflict.as_dict(), "message": message_to_wire(conflict.current)}
            return Response(answer, status=conflict.status)

    @extend_schema(responses=_MESSAGE)
    def delete(self, request: Request, message: int) -> Response:
        """Take back a message. Answers with the tombstone that stays in its place."""
        return said(actions.delete_message(own(request), message))


@extend_schema(parameters=[OpenApiParameter("emoji", str, "path", description="One emoji.")])
class ReactionView(Door):
    without_body = frozenset({"PUT", "DELETE"})

    @extend_schema(request=None, responses=_MESSAGE)
    def put(self, request: Request, message: int, emoji: str) -> Response:
        """Put your emoji on a message."""
        return said(actions.react(own(request), message, emoji))

    @extend_schema(responses=_MESSAGE)
    def delete(self, request: Request, message: int, emoji: str) -> Response:
        """Take your emoji off a message."""
        return said(actions.unreact(own(request), message, emoji))


# --- what they share -------------------------------------------------------------------------------


def own(request: Request) -> User:
    return cast(User, request.user)


def given_in(request: Request, shape: type[Given]) -> dict[str, Any]:
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def seen(
    request: Request, conversation_id: int, code: int = status.HTTP_200_OK, **headers: str
) -> Response:
    """Answer with a conversation as the one who asks sees it."""
    row = queries.sidebar_row(own(request), conversation_id, even_unspoken=True)
    if row is None:
        raise ChatError("not_found")
    return Response(serializers.ConversationSerializer(row).data, status=code, headers=headers)


def members_seen(conversation_id: int, members: list[Membership]) -> list[Any]:
    """Return members as others of the conversation see them."""
    told = bool(queries.small_conversations([conversation_id], most=settings.PRESENCE_MEMBERS))
    open_accounts = [member.user_id for member in members if member.user.is_active]
    context = {"told": told, "here": online_users(open_accounts)}
    return list(serializers.MemberSerializer(members, many=True, context=context).data)


def said(message: Message, code: int = status.HTTP_200_OK, **headers: str) -> Response:
    return Response(message_to_wire(message), status=code, headers=headers)


def nothing() -> Response:
    return Response(status=status.HTTP_204_NO_CONTENT)
