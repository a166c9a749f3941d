"""Request and response shapes. The rules are in accounts.actions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer

from accounts import actions, failures, tokens
from accounts.api.authentication import client_of
from accounts.models import (
    EMAIL_MAX,
    HUES,
    NAME_MAX,
    NOTE_MAX,
    STATUS_MAX,
    TITLE_MAX,
    Contrast,
    Density,
    Theme,
    TimeFormat,
)
from chatty.api.fields import (
    QueryCursor,
    QueryIds,
    StrictChoice,
    StrictInt,
    StrictQuery,
    StrictSerializer,
    StrictText,
)
from chatty.common.limiter import client_address, limiter

PEOPLE_MAX = 100  # ids in one request


class SecretField(StrictText):
    """A password, exactly as typed: leading and trailing spaces are part of it."""

    def __init__(self) -> None:
        super().__init__(allow_blank=False, write_only=True, style={"input_type": "password"})


class StatusSerializer(StrictSerializer):
    """What you are up to. Without an emoji and a text, it is removed."""

    emoji = StrictText(
        help_text="One emoji, or empty.",
    )
    text = StrictText(max_length=STATUS_MAX)
    until = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When it ends. Null: when you remove it."
    )


class QuietHoursSerializer(StrictSerializer):
    """Two times of the day. The second can be on the next day."""

    start = StrictText(max_length=5, help_text="Such as `22:00`.")
    end = StrictText(max_length=5, help_text="Such as `08:00`.")


class MeSerializer(StrictSerializer):
    """Changes to your account. What you leave out stays the same."""

    id = serializers.IntegerField(read_only=True)
    email = serializers.CharField(read_only=True)
    email_confirmed = serializers.BooleanField(read_only=True)
    new_email = serializers.CharField(read_only=True)
    picture = serializers.CharField(read_only=True)
    name = StrictText(max_length=NAME_MAX, allow_blank=False, required=False)
    title = StrictText(
        max_length=TITLE_MAX, required=False, help_text="What you do, such as “Designer”."
    )
    status = StatusSerializer(
        required=False, allow_null=True, help_text="What you are up to. Null removes it."
    )
    hue = StrictInt(
        source="chosen_hue",
        min_value=0,
        max_value=HUES - 1,
        allow_null=True,
        required=False,
        help_text=f"Avatar colour, 0 to {HUES - 1}. Null resets it to the account’s default.",
    )
    time_zone = StrictText(max_length=64, required=False, help_text="Empty: the server’s.")
    language = StrictText(
        max_length=16, required=False, help_text="For pages and emails. Empty: the browser’s."
    )
    theme = StrictChoice(Theme, required=False)
    contrast = StrictChoice(Contrast, required=False)
    density = StrictChoice(Density, required=False, help_text="Of messages on the pages.")
    time_format = StrictChoice(
        TimeFormat,
        required=False,
        help_text="On the pages. `language`: as usual in the language.",
    )
    quiet_hours = QuietHoursSerializer(
        required=False,
        allow_null=True,
        help_text="When Chatty shows no notifications and plays no sound. Null: never.",
    )


class AccountSerializer(StrictSerializer):
    email = StrictText(max_length=EMAIL_MAX, allow_blank=False)
    password = SecretField()
    name = StrictText(max_length=NAME_MAX, allow_blank=False)
    time_zone = StrictText(max_length=64, default="")


class RegisterSerializer(AccountSerializer):
    note = StrictText(
        max_length=NOTE_MAX, default="", help_text="For the administrator who approves the account."
    )


class PasswordSerializer(StrictSerializer):
    old_password = SecretField()
    new_password = SecretField()


class EmailSerializer(StrictSerializer):
    email = StrictText(max_length=EMAIL_MAX, allow_blank=False)
    password = SecretField()


class LinkSerializer(StrictSerializer):
    email = StrictText(max_length=EMAIL_MAX, allow_blank=False)


class SignInTokenSerializer(StrictSerializer, TokenObtainPairSerializer):
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = StrictText(allow_blank=False, write_only=True)
        self.fields["password"] = SecretField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        request = self.context["request"]
        address = client_address(request._request)
        with failures.log_failure(request._request, "api"):
            user = actions.authenticate(
                email=attrs["email"], password=attrs["password"], address=address
            )
        pair = tokens.begin(user, client=client_of(request), address=address)
        return asdict(pair)


class RotationSerializer(StrictSerializer, TokenRefreshSerializer):
    """Also returns a new refresh token, which replaces the one sent."""

    refresh = StrictText(allow_blank=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        request = self.context["request"]._request
        limiter.check_address("refresh", client_address(request))
        with failures.log_failure(request, "api"):
            pair = tokens.rotate(attrs["refresh"])
        return asdict(pair)


class TokenPairSerializer(serializers.Serializer[tokens.Pair]):
    """The tokens of a session."""

    access = serializers.CharField(help_text="Send it as `Authorization: Bearer <access>`.")
    refresh = serializers.CharField(help_text="Exchange it for the next pair, once.")
    expires_in = serializers.IntegerField(help_text="Seconds until `access` expires.")
    refresh_expires_in = serializers.IntegerField(help_text="Seconds until `refresh` expires.")


class LogoutSerializer(StrictSerializer):
    refresh = StrictText(allow_blank=False, required=False)


class PeopleQuery(StrictQuery):
    """A page of the people with a name, or the people with these ids. `ids` can't be combined with others."""

    q = serializers.CharField(
        required=False, allow_blank=True, help_text="Search terms for the name."
    )
    cursor = QueryCursor()
    ids = QueryIds(
        required=False,
        most=PEOPLE_MAX,
        help_text=f"Up to {PEOPLE_MAX} ids, separated by commas. Unknown ones are left out.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "ids" in attrs and len(attrs) > 1:
            sentence = _("Use only one of these parameters.")
            raise serializers.ValidationError({name: [sentence] for name in sorted(attrs)})
        return attrs
