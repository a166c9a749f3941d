"""REST views of asking to join a group, and of deciding on it."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from chatty.common.pages import site_of
from conversations import access
from conversations.api.views import ChatAPIView, validated_body
from conversations.join_requests import actions, queries, rules
from conversations.join_requests.api.serializers import AskSerializer, DeclineSerializer
from conversations.join_requests.links import url_of
from conversations.join_requests.models import JoinLink
from conversations.join_requests.wire import (
    JoinLinkOut,
    JoinRequestsOut,
    OwnJoinRequestOut,
    OwnJoinRequestsOut,
    own_request_to_wire,
    request_to_wire,
)

_NOTHING = {204: None}


def _nothing() -> Response:
    return Response(status=status.HTTP_204_NO_CONTENT)


class OwnRequestsView(ChatAPIView):
    tag = "Requests to join"

    @extend_schema(operation_id="join_requests_list", responses=OwnJoinRequestsOut)
    def get(self, request: Request) -> Response:
        """List your requests to join that are waiting or were declined, the latest first."""
        rows = queries.own_requests(current_user(request))
        return Response(OwnJoinRequestsOut([own_request_to_wire(row) for row in rows]))

    @extend_schema(request=AskSerializer, responses={201: OwnJoinRequestOut})
    def post(self, request: Request) -> Response:
        """Ask the admins of a conversation to let you join, with the token of its link."""
        made = actions.ask_to_join(current_user(request), **validated_body(request, AskSerializer))
        return Response(own_request_to_wire(made), status=status.HTTP_201_CREATED)


class OwnRequestView(ChatAPIView):
    tag = "Requests to join"

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int) -> Response:
        """Withdraw your request to join."""
        actions.withdraw(current_user(request), conversation)
        return _nothing()


class LinkView(ChatAPIView):
    """The address with which people can ask to join a group."""

    tag = "Requests to join"

    without_body = frozenset({"POST", "DELETE"})

    @extend_schema(responses=JoinLinkOut)
    def get(self, request: Request, conversation: int) -> Response:
        """Get the link with which people can ask to join. For members."""
        link = queries.link_of(current_user(request), conversation)
        return _link_response(request, link)

    @extend_schema(request=None, responses={200: JoinLinkOut})
    def post(self, request: Request, conversation: int) -> Response:
        """Make a link with which people can ask to join. The former one ends. For owners and admins."""
        return _link_response(request, actions.make_link(current_user(request), conversation))

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, conversation: int) -> Response:
        """End the link with which people can ask to join. Requests that were made with it stay."""
        actions.revoke_link(current_user(request), conversation)
        return _nothing()


def _link_response(request: Request, link: JoinLink | None) -> Response:
    return Response(JoinLinkOut(url_of(link, site_of(request._request))))


class RequestsView(ChatAPIView):
    tag = "Requests to join"

    @extend_schema(operation_id="conversations_join_requests_list", responses=JoinRequestsOut)
    def get(self, request: Request, conversation: int) -> Response:
        """List who asks to join, the oldest first, and who was declined or blocked. For owners and admins."""
        membership = access.member_of(current_user(request), conversation)
        access.require(rules.ANSWER.name, membership)
        rows = queries.requests_of(conversation)
        return Response(JoinRequestsOut([request_to_wire(row) for row in rows]))


class AcceptView(ChatAPIView):
    tag = "Requests to join"
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_NOTHING)
    def post(self, request: Request, conversation: int, user: int) -> Response:
        """Let someone join who has asked."""
        actions.accept(current_user(request), conversation, user)
        return _nothing()


class DeclineView(ChatAPIView):
    tag = "Requests to join"

    @extend_schema(request=DeclineSerializer, responses=_NOTHING)
    def post(self, request: Request, conversation: int, user: int) -> Response:
        """Decline a request to join. They can ask again after a day, unless you block that."""
        given = validated_body(request, DeclineSerializer)
        actions.decline(current_user(request), conversation, user, block=given["block"])
        return _nothing()


class UnblockView(ChatAPIView):
    tag = "Requests to join"
    without_body = frozenset({"POST"})

    @extend_schema(request=None, responses=_NOTHING)
    def post(self, request: Request, conversation: int, user: int) -> Response:
        """Let someone ask again who was blocked."""
        actions.unblock(current_user(request), conversation, user)
        return _nothing()
