"""REST endpoints for accounts and sign-ins. Each validates, calls an action and responds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, ClassVar, cast

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from accounts import actions, pictures, queries, tokens
from accounts.api.authentication import sid_of
from accounts.api.serializers import (
    EmailSerializer,
    LinkSerializer,
    LogoutSerializer,
    MeSerializer,
    PasswordSerializer,
    PeopleQuery,
    RegisterSerializer,
    RotationSerializer,
    SignInTokenSerializer,
    TokenPairSerializer,
)
from accounts.current_user import current_user
from accounts.models import SignUpRequest, User
from accounts.wire import (
    MeOut,
    PendingSignUpOut,
    PeopleOut,
    PersonOut,
    SessionsOut,
    me_to_wire,
    person_to_wire,
    profile_tag,
    session_to_wire,
)
from chatty.api import paging
from chatty.api.base import StrictAPIView
from chatty.api.fields import StrictQuery
from chatty.api.parsers import JSONParser
from chatty.common.errors import ChatError
from chatty.common.limiter import client_address, limiter
from chatty.common.pages import site_of

_NOTHING = {204: None}

PEOPLE_PAGE = 50


def validated_data(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class RegisterView(StrictAPIView):
    """Create an account. To sign in, request a token at /api/token/.

    With status 202, there is no account yet. `state` is "waiting" if an administrator has to approve it:
    `note` says why someone would like to join. It is "unconfirmed" if the link in an email has to be opened
    first. Until then, /api/token/ responds with `approval_pending` or `address_unconfirmed`.
    """

    tag = "Signing in"

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        request=RegisterSerializer, responses={201: MeOut, 202: PendingSignUpOut}, auth=[]
    )
    def post(self, request: Request) -> Response:
        actions.require_sign_up_offered()
        given = validated_data(RegisterSerializer(data=request.data))
        plain = request._request
        created = actions.sign_up(**given, address=client_address(plain), site=site_of(plain))
        if isinstance(created, SignUpRequest):
            return Response(PendingSignUpOut(created.state), status=status.HTTP_202_ACCEPTED)
        return Response(me_to_wire(created), status=status.HTTP_201_CREATED)


class RegisterLinkView(StrictAPIView):
    """Send the link again that confirms the address of someone who is signing up."""

    tag = "Signing in"

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="register_link_send", request=LinkSerializer, responses=_NOTHING, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Send the link again that confirms the address of someone who is signing up.

        The response does not reveal whether someone is signing up with this address.
        """
        given = validated_data(LinkSerializer(data=request.data))
        plain = request._request
        actions.request_sign_up_link(**given, address=client_address(plain), site=site_of(plain))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenView(StrictAPIView, TokenObtainPairView):
    """Sign a program in. Returns an access token and a refresh token, and how long each is valid."""

    tag = "Signing in"

    serializer_class = SignInTokenSerializer

    @extend_schema(request=SignInTokenSerializer, responses={200: TokenPairSerializer}, auth=[])
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class RefreshView(StrictAPIView, TokenRefreshView):
    """Exchange a refresh token for a new pair.

    If the response is lost, send the same token again within a minute: it returns the same pair, as
    long as neither token of that pair has been used. Any later use of an exchanged token ends the
    session.
    """

    tag = "Signing in"

    serializer_class = RotationSerializer

    @extend_schema(responses={200: TokenPairSerializer}, auth=[])
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class LogoutView(StrictAPIView):
    """End the session of the refresh token in the body, or of the Bearer token if there is none."""

    tag = "Signing in"

    permission_classes = (AllowAny,)

    @extend_schema(request=LogoutSerializer, responses=_NOTHING)
    def post(self, request: Request) -> Response:
        given = validated_data(LogoutSerializer(data=request.data))
        if "refresh" in given:
            tokens.end(given["refresh"])
        elif isinstance(request.auth, tokens.Bearer):
            actions.end_sign_in(request.auth.sign_in.sid)
        else:
            raise ChatError("unauthenticated")
        return Response(status=status.HTTP_204_NO_CONTENT)

    def perform_authentication(self, request: Request) -> None:
        """Skipped here: signing out must also work with an expired access token."""

    def check_throttles(self, request: Request) -> None:
        """Skipped here: it would authenticate."""


class MeView(StrictAPIView):
    """Your own account."""

    tag = "Account"

    conditional = frozenset({"PATCH"})

    @extend_schema(responses={200: MeOut})
    def get(self, request: Request) -> Response:
        """Get your account."""
        return _me_response(current_user(request))

    @extend_schema(request=MeSerializer, responses={200: MeOut})
    def patch(self, request: Request) -> Response:
        """Change your account."""
        given = validated_data(MeSerializer(data=request.data))
        return _me_response(
            actions.update_profile(current_user(request), **given, if_match=self.if_match)
        )


def _me_response(user: User) -> Response:
    return Response(me_to_wire(user), headers={"ETag": profile_tag(user)})


class MyEmailView(StrictAPIView):
    """Your own email address."""

    tag = "Account"

    @extend_schema(operation_id="me_email_change", request=EmailSerializer, responses={200: MeOut})
    def post(self, request: Request) -> Response:
        """Change your email address. Where mail is set up, it is `new_email` until the link that is sent
        there was opened."""
        user, plain = current_user(request), request._request
        given = validated_data(EmailSerializer(data=request.data))
        actions.change_email(user, **given, address=client_address(plain), site=site_of(plain))
        return Response(me_to_wire(user))

    @extend_schema(operation_id="me_email_keep", responses={200: MeOut})
    def delete(self, request: Request) -> Response:
        """Keep your email address. `new_email` is removed."""
        user = current_user(request)
        actions.cancel_email_change(user)
        return Response(me_to_wire(user))


class MyEmailLinkView(StrictAPIView):
    tag = "Account"
    without_body = frozenset({"POST"})

    @extend_schema(operation_id="me_email_link_send", request=None, responses=_NOTHING)
    def post(self, request: Request) -> Response:
        """Send the link again that confirms your address, or your new one."""
        user, plain = current_user(request), request._request
        actions.send_confirmation(user, address=client_address(plain), site=site_of(plain))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PictureParser(BaseParser):
    """Takes the request body as the file. Parses to {"picture": bytes}."""

    media_type = "image/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, bytes]:
        return {"picture": stream.read(pictures.BYTES_MAX + 1)}


class MyPictureView(StrictAPIView):
    """Your own picture."""

    tag = "Account"

    conditional = frozenset({"PUT", "DELETE"})
    parser_classes = (PictureParser,)

    def get_parsers(self) -> list[BaseParser]:
        if (
            getattr(self.request, "method", "") in self.without_body
        ):  # self.request is None while the schema is generated
            return [JSONParser()]
        return super().get_parsers()

    @extend_schema(
        request=dict.fromkeys(pictures.MEDIA_TYPES, OpenApiTypes.BINARY),
        responses={200: MeOut},
    )
    def put(self, request: Request) -> Response:
        """Change your picture. Send a PNG, JPEG, WebP or GIF of up to 5 MB. It is cropped to a square."""
        try:
            file = cast(dict[str, bytes], request.data)
        except UnsupportedMediaType:
            sentence = _("Upload a PNG, JPEG, WebP or GIF image.")
            raise ChatError("unsupported_media", sentence) from None
        # Without a body no parser runs, and "picture" is missing.
        picture = file.get("picture", b"")
        return _me_response(
            actions.update_profile(current_user(request), picture=picture, if_match=self.if_match)
        )

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request) -> Response:
        """Remove your picture. Initials are shown instead."""
        user = current_user(request)
        actions.update_profile(user, remove_picture=True, if_match=self.if_match)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PictureView(StrictAPIView):
    """A person's picture. Its URL never serves a different picture, so it can be cached for good."""

    tag = "People"

    def check_throttles(self, request: Request) -> None:
        """Skipped here: a page can show hundreds of pictures at once."""

    @extend_schema(responses={(200, pictures.MEDIA_TYPE): OpenApiTypes.BINARY})
    def get(self, request: Request, user: int, digest: str) -> HttpResponse:
        """Get a person's picture. Its URL never returns a different one, so it can be cached for good."""
        image = queries.picture(user, digest)
        if image is None:
            raise ChatError("not_found")
        # "private": proxies must not cache it, because only people who are signed in can see it.
        kept = {"Cache-Control": "private, max-age=31536000, immutable"}
        return HttpResponse(image, content_type=pictures.MEDIA_TYPE, headers=kept)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Ignore Accept: an <img> accepts images only, and DRF would respond with 406."""
        return super().perform_content_negotiation(request, force=True)


class PasswordView(StrictAPIView):
    """Change your password. All other sessions end."""

    tag = "Account"

    @extend_schema(
        operation_id="me_password_change", request=PasswordSerializer, responses=_NOTHING
    )
    def post(self, request: Request) -> Response:
        given = validated_data(PasswordSerializer(data=request.data))
        secrets = {"old": given["old_password"], "new": given["new_password"]}
        address = client_address(request._request)
        if isinstance(request.auth, tokens.Bearer):
            sid = request.auth.sign_in.sid
            actions.change_password(current_user(request), **secrets, keep_sid=sid, address=address)
        else:
            actions.change_password_in_session(request._request, **secrets, address=address)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SignInsView(StrictAPIView):
    """Your active sessions."""

    tag = "Account"

    @extend_schema(
        operation_id="me_sign_ins_list",
        responses=SessionsOut,
    )
    def get(self, request: Request) -> Response:
        """List your sessions."""
        rows = queries.live_sign_ins(current_user(request))
        sid = sid_of(request)
        return Response(SessionsOut([session_to_wire(row, current=row.sid == sid) for row in rows]))


class SignInView(StrictAPIView):
    tag = "Account"

    @extend_schema(responses=_NOTHING)
    def delete(self, request: Request, sid: str) -> Response:
        """End one of your sessions."""
        actions.end_own_sign_in(current_user(request), sid)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PeopleView(StrictAPIView):
    tag = "People"
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": PeopleQuery}

    @extend_schema(operation_id="users_list", parameters=[PeopleQuery], responses=PeopleOut)
    def get(self, request: Request) -> Response:
        """List active people, ordered by name: all, those with a name, or those with these ids."""
        limiter.check("people", str(current_user(request).pk))
        if "ids" in self.query:
            people = queries.people_with(self.query["ids"])
            return Response(PeopleOut([person_to_wire(person) for person in people], None))
        cursor = self.query.get("cursor")
        after = paging.read_name_cursor(cursor) if cursor else None
        rows = queries.people_page(self.query.get("q", ""), limit=PEOPLE_PAGE + 1, after=after)
        page, more = rows[:PEOPLE_PAGE], len(rows) > PEOPLE_PAGE
        place = paging.name_cursor(page[-1].name, page[-1].pk) if more else None
        results = [person_to_wire(person) for person in page]
        return Response(PeopleOut(results, paging.next_page(request, place)))


class PersonView(StrictAPIView):
    tag = "People"

    @extend_schema(operation_id="users_get", responses={200: PersonOut})
    def get(self, request: Request, user: int) -> Response:
        """Get an active person."""
        limiter.check("people", str(current_user(request).pk))
        people = queries.people_with([user])
        if not people:
            raise ChatError("not_found")
        return Response(person_to_wire(people[0]))
