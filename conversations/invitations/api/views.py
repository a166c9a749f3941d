"""REST views of invitations. Tokens are only in bodies: paths and queries are logged."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from chatty.api import paging
from chatty.api.base import StrictAPIView
from chatty.api.fields import StrictQuery
from chatty.common.limiter import client_address
from chatty.common.pages import site_of
from conversations.api.views import ChatAPIView, validated_body
from conversations.invitations import actions, queries, rules, wire
from conversations.invitations.actions import Created
from conversations.invitations.api import serializers
from conversations.invitations.links import link_of

_NOTHING = {204: None}
_CREATED = {200: wire.CreatedInvitationOut, 201: wire.CreatedInvitationOut}


def _created_response(request: Request, created: Created) -> Response:
    listed = queries.get_listed(current_user(request), created.invitation.pk)
    link = link_of(request._request, created.token)
    body = wire.CreatedInvitationOut(wire.invitation_to_wire(listed), created.token, link)
    return Response(body, status.HTTP_201_CREATED if created.is_new else status.HTTP_200_OK)


class InvitationsView(ChatAPIView):
    tag = "Invitations"
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {
        "GET": serializers.InvitationsQuery
    }

    @extend_schema(
        operation_id="invitations_list",
        parameters=[serializers.InvitationsQuery],
        responses=wire.InvitationsOut,
    )
    def get(self, request: Request) -> Response:
        """List your invitations, latest first."""
        limit, cursor = self.query["limit"], self.query.get("cursor")
        before = paging.read_id_cursor(cursor) if cursor else None
        found = queries.invitations_of(current_user(request), limit=limit + 1, before=before)
        page, more = found[:limit], len(found) > limit
        place = paging.id_cursor(page[-1].invitation.pk) if more else None
        results = [wire.invitation_to_wire(each) for each in page]
        return Response(wire.InvitationsOut(results, paging.next_page(request, place)))

    @extend_schema(request=serializers.NewInvitation, responses=_CREATED)
    def post(self, request: Request) -> Response:
        """Create an invitation. Returns 200 if the key was used before."""
        given = validated_body(request, serializers.NewInvitation)
        created = actions.create_invitation(
            current_user(request),
            key=given["key"],
            conversation_ids=given["conversations"],
            note=given["note"],
            days=given["days"],
            uses=given["uses"],
        )
        return _created_response(request, created)


class EmailsView(ChatAPIView):
    tag = "Invitations"

    @extend_schema(
        operation_id="invitations_send",
        request=serializers.NewEmails,
        responses={200: wire.EmailAnswersOut},
    )
    def post(self, request: Request) -> Response:
        """Invite people by email. The response says for each address what happened."""
        given = validated_body(request, serializers.NewEmails)
        answers = actions.invite_by_email(
            current_user(request),
            given["addresses"],
            key=given["key"],
            site=site_of(request._request),
            conversation_ids=given["conversations"],
            note=given["note"],
            days=given["days"],
        )
        return Response(wire.EmailAnswersOut([wire.answer_to_wire(each) for each in answers]))


class InvitationView(ChatAPIView):
    tag = "Invitations"

    @extend_schema(responses={200: wire.InvitationOut})
    def get(self, request: Request, invitation: int) -> Response:
        """Get one of your invitations."""
        found = queries.get_listed(current_user(request), invitation)
        return Response(wire.invitation_to_wire(found))

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, invitation: int) -> Response:
        """Revoke one of your invitations. It stays in the list."""
        actions.revoke(current_user(request), invitation)
        return Response(status=status.HTTP_204_NO_CONTENT)


class LinkView(ChatAPIView):
    tag = "Invitations"

    @extend_schema(
        operation_id="invitations_link_renew", request=serializers.NewLink, responses=_CREATED
    )
    def post(self, request: Request, invitation: int) -> Response:
        """Create a new link for an invitation. The former link no longer works."""
        given = validated_body(request, serializers.NewLink)
        created = actions.renew_link(current_user(request), invitation, key=given["key"])
        return _created_response(request, created)


class LookUpView(StrictAPIView):
    """Find out what an invitation offers, without signing in. This changes nothing."""

    tag = "Invitations"

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=serializers.InvitationToken, responses={200: wire.OfferOut}, auth=[])
    def post(self, request: Request) -> Response:
        token = validated_body(request, serializers.InvitationToken)["token"]
        invitation = queries.find_invitation(token, address=client_address(request._request))
        offer = queries.get_offer(invitation)
        look_alike = queries.has_look_alike(offer.inviter, offer.conversations)
        out = wire.offer_to_wire(offer, can_register=rules.can_sign_up(), look_alike=look_alike)
        return Response(out)


class AcceptView(ChatAPIView):
    tag = "Invitations"

    @extend_schema(request=serializers.InvitationToken, responses={200: wire.AcceptedOut})
    def post(self, request: Request) -> Response:
        """Join the conversations of an invitation. Repeating it changes nothing."""
        token = validated_body(request, serializers.InvitationToken)["token"]
        address = client_address(request._request)
        accepted = actions.accept(current_user(request), token, address=address)
        return Response(wire.accepted_to_wire(accepted))


class RegisterView(StrictAPIView):
    """Create an account with an invitation and join its conversations. To sign in, request a token at
    /api/token/."""

    tag = "Invitations"

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        request=serializers.RegisterWithInvitation, responses={201: wire.AcceptedOut}, auth=[]
    )
    def post(self, request: Request) -> Response:
        given = validated_body(request, serializers.RegisterWithInvitation)
        address = client_address(request._request)
        site = site_of(request._request)
        accepted = actions.sign_up_and_accept(
            given.pop("token"), address=address, site=site, **given
        )
        return Response(wire.accepted_to_wire(accepted), status=status.HTTP_201_CREATED)
