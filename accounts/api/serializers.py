"""What the API takes and gives. Shapes only: the rules are in accounts.actions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer

from accounts import actions, failures, tokens
from accounts.api.authentication import client_of
from accounts.models import EMAIL_MAX, HUES, NAME_MAX, Contrast, SignIn, Theme, User
from chatty.api.fields import Choice, Given, Query, Text, Whole
from chatty.common.limiter import client_address, limiter


class SecretField(Text):
    """A password as it was typed: blanks at its ends belong to it."""

    def __init__(self) -> None:
        super().__init__(allow_blank=False, write_only=True, style={"input_type": "password"})


class HueField(Whole):
    """Given as the colour in force; taken as a choice, or null for the one that follows from the id."""

    def __init__(self) -> None:
        super().__init__(
            source="chosen_hue",
            min_value=0,
            max_value=HUES - 1,
            allow_null=True,
            help_text="Colour of the face. Null sets it back to the one that follows from the id.",
        )

    def get_attribute(self, instance: User) -> int:
        return instance.hue


class PictureField(serializers.CharField):
    def __init__(self) -> None:
        super().__init__(
            source="picture_url",
            read_only=True,
            allow_null=True,
            help_text="Address of the picture. Another picture has another address.",
        )


class MeSerializer(Given, serializers.ModelSerializer[User]):
    name = Text(max_length=NAME_MAX, allow_blank=False)
    hue = HueField()
    picture = PictureField()
    time_zone = Text(max_length=64)
    language = Text(max_length=16, help_text="Of pages and mails; empty: the browser's.")
    theme = Choice(Theme.choices)
    contrast = Choice(Contrast.choices)

    class Meta:
        model = User
        fields = (
            *("id", "email", "name", "hue", "picture"),
            *("time_zone", "language", "theme", "contrast"),
        )
        read_only_fields = ("id", "email")


class PersonSerializer(serializers.ModelSerializer[User]):
    """Somebody else: never their address."""

    hue = serializers.IntegerField(help_text="Colour of the face, 0 to 11.")
    picture = PictureField()

    class Meta:
        model = User
        fields = ("id", "name", "hue", "picture")


class RegisterSerializer(Given):
    email = Text(max_length=EMAIL_MAX, allow_blank=False)
    password = SecretField()
    name = Text(max_length=NAME_MAX, allow_blank=False)
    time_zone = Text(max_length=64, default="")


class PasswordSerializer(Given):
    old_password = SecretField()
    new_password = SecretField()


class SignInSerializer(serializers.ModelSerializer[SignIn]):
    current = serializers.SerializerMethodField()

    class Meta:
        model = SignIn
        fields = ("sid", "kind", "client", "created_at", "last_seen_at", "expires_at", "current")

    def get_current(self, sign_in: SignIn) -> bool:
        return bool(sign_in.sid == self.context["sid"])


class SignInTokenSerializer(Given, TokenObtainPairSerializer):
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = Text(allow_blank=False, write_only=True)
        self.fields["password"] = SecretField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        request = self.context["request"]
        address = client_address(request._request)
        with failures.log_failure(request._request, "api"):
            user = actions.authenticate(
                email=attrs["email"], password=attrs["password"], address=address
            )
        pair = tokens.begin(user, client=client_of(request), address=address)
        return {"access": pair.access, "refresh": pair.refresh}


class RotationSerializer(Given, TokenRefreshSerializer):
    """Gives a new refresh token too: it takes the place of the one sent."""

    refresh = Text(allow_blank=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        request = self.context["request"]._request
        limiter.check_address("refresh", client_address(request))
        with failures.log_failure(request, "api"):
            pair = tokens.rotate(attrs["refresh"])
        return {"access": pair.access, "refresh": pair.refresh}


class LogoutSerializer(Given):
    refresh = Text(allow_blank=False, required=False)


class PeopleQuery(Query):
    q = serializers.CharField(default="", allow_blank=True, help_text="Part of the name")
    cursor = serializers.CharField(required=False)
