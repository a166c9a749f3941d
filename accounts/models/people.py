"""Accounts and their sign-ins.

A sign-in is one browser session or one token family. Both carry its `sid`, and both are invalid once
its row has ended. Only that row decides whether someone is signed in, so signing them out never
depends on reaching a cookie, a token or a socket.
"""

from __future__ import annotations

import secrets
import zoneinfo
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.quiet_hours import QuietHours
from accounts.user_agents import describe_client
from chatty.common.folded_names import Folded, FoldedColumn
from chatty.common.look_alikes import skeleton

EMAIL_MAX = 254
NAME_MAX = 60
TITLE_MAX = 80
STATUS_MAX = 80  # code points of a status, without its emoji
STATUS_EMOJI_MAX = 32
PASSWORD_MAX = 256
HUES = 12  # avatar colours; static/css/components/avatar.css has one class for each


def normal_email(email: str) -> str:
    """Return the form in which an address is stored and looked up."""
    return email.strip().lower()


def new_sid() -> str:
    return secrets.token_urlsafe(24)  # 192 bits, 32 characters


class UserManager(BaseUserManager["User"]):
    """Creates accounts without checking the password rules: actions.register() checks them."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an account. Without a password it cannot be signed in to."""
        email = normal_email(email)
        if not email:
            raise ValueError("An account needs an email address.")
        fields.setdefault("name", email.partition("@")[0][:NAME_MAX])
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(
            email, password, **{**fields, "is_staff": True, "is_superuser": True}
        )

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=normal_email(username or ""))


class Theme(models.TextChoices):
    SYSTEM = "system", _("System default")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class Contrast(models.TextChoices):
    SYSTEM = "system", _("System default")
    NONE = "none", _("Standard")
    MORE = "more", _("High")


class Density(models.TextChoices):
    COMFORTABLE = "comfortable", _("Comfortable")
    COMPACT = "compact", _("Compact")


class TimeFormat(models.TextChoices):
    LANGUAGE = "language", _("As usual in the language")
    TWELVE = "12", _("12 hours: 3:38 pm")
    TWENTY_FOUR = "24", _("24 hours: 15:38")


class User(Folded, AbstractBaseUser, PermissionsMixin):
    """An account. It is deactivated, never deleted, so that its messages keep an author."""

    email = models.EmailField(_("email address"), max_length=EMAIL_MAX, unique=True)
    # None until a link in an email has proved that the address belongs to this person.
    email_confirmed_at = models.DateTimeField(
        _("email address confirmed"), null=True, blank=True, editable=False
    )
    # The address that replaces `email` once it is confirmed, or "". It may belong to another account.
    new_email = models.CharField(
        max_length=EMAIL_MAX, blank=True, default="", db_default="", editable=False
    )
    name = models.CharField(_("name"), max_length=NAME_MAX)
    folded_name = FoldedColumn()
    # Equal for names that look alike: see chatty/common/look_alikes.py.
    skeleton = models.TextField(default="", db_default="", blank=True, editable=False)
    # What they do, such as "Designer".
    title = models.CharField(
        _("title"), max_length=TITLE_MAX, blank=True, default="", db_default=""
    )
    # What they are up to. It only counts while has_status.
    status_emoji = models.CharField(
        max_length=STATUS_EMOJI_MAX, blank=True, default="", db_default="", editable=False
    )
    status_text = models.CharField(
        max_length=STATUS_MAX, blank=True, default="", db_default="", editable=False
    )
    status_until = models.DateTimeField(null=True, blank=True, editable=False)
    # "" if unknown: times are then shown in the server's zone.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    # One of settings.LANGUAGES, or "" for the browser's language.
    language = models.CharField(_("language"), max_length=16, blank=True, default="")
    theme = models.CharField(_("theme"), max_length=6, choices=Theme.choices, default=Theme.SYSTEM)
    contrast = models.CharField(
        _("contrast"), max_length=6, choices=Contrast.choices, default=Contrast.SYSTEM
    )
    density = models.CharField(
        _("density"),
        max_length=11,
        choices=Density.choices,
        default=Density.COMFORTABLE,
        db_default=Density.COMFORTABLE,
    )
    time_format = models.CharField(
        _("time format"),
        max_length=8,
        choices=TimeFormat.choices,
        default=TimeFormat.LANGUAGE,
        db_default=TimeFormat.LANGUAGE,
    )
    # Times of the day, such as "22:00"; both "" for none. Read `quiet_hours` instead.
    quiet_start = models.CharField(
        max_length=5, blank=True, default="", db_default="", editable=False
    )
    quiet_end = models.CharField(
        max_length=5, blank=True, default="", db_default="", editable=False
    )
    # None for the default colour. Read `hue` instead.
    chosen_hue = models.PositiveSmallIntegerField(_("colour"), null=True, blank=True)
    # Digest of the row in Picture, or "". Kept here so that showing an avatar needs no extra query.
    picture = models.CharField(max_length=32, blank=True, default="", editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("administrator"), default=False)
    # Counts the changes to this user's memberships, roles, sign-ins, password and active state.
    # Processes that hold the user's sockets compare it, and reload their access only if it changed.
    # Written only by actions.bump_clock().
    clock = models.BigIntegerField(default=0, editable=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now, editable=False)
    closed_at = models.DateTimeField(_("deactivated"), null=True, blank=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            # Otherwise two spellings of an address could be two accounts.
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="user_has_a_name"),
            models.CheckConstraint(
                condition=models.Q(theme__in=["system", "light", "dark"]),
                name="user_theme_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(contrast__in=["system", "none", "more"]),
                name="user_contrast_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(density__in=["comfortable", "compact"]),
                name="user_density_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(time_format__in=["language", "12", "24"]),
                name="user_time_format_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(chosen_hue=None) | models.Q(chosen_hue__lt=HUES),
                name="user_hue_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(quiet_start="", quiet_end="")
                | ~models.Q(quiet_start="")
                & ~models.Q(quiet_end="")
                & ~models.Q(quiet_start=models.F("quiet_end")),
                name="user_quiet_hours_begin_and_end",
            ),
        ]
        # Lists of people are ordered by name. The id makes the order unique, as cursors require.
        indexes = [
            models.Index(fields=["name", "id"], name="user_by_name"),
            models.Index(fields=["skeleton"], name="user_by_skeleton"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        # Saving a stale object would set the clock back.
        if not self._state.adding and kwargs.get("update_fields") is None:
            kwargs["update_fields"] = {
                field.name
                for field in self._meta.concrete_fields
                if not field.primary_key and field.name != "clock"
            }
        fields = kwargs.get("update_fields")
        if fields is None or "name" in fields:
            self.skeleton = skeleton(self.name or "")
            if fields is not None:
                kwargs["update_fields"] = {*fields, "skeleton"}
        super().save(*args, **kwargs)

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether the password is right. If so, `self.password` is the stored hash.

        Like Django's, this upgrades a hash made with weaker parameters. Unlike Django's, it never
        overwrites a hash that was stored in the meantime: otherwise one of two concurrent sign-ins
        would fail.
        """
        checked = self.password
        renewed = ""

        def renew(password: str) -> None:
            nonlocal renewed
            renewed = make_password(password)
            rows = User.objects.filter(pk=self.pk)
            if rows.filter(password=checked).update(password=renewed):
                self.password = renewed
            else:
                self.password = rows.values_list("password", flat=True).first() or ""

        right = check_password(raw_password, checked, renew)
        if right and self.password not in (checked, renewed):
            return check_password(raw_password, self.password)
        return right

    def clean(self) -> None:
        self.email = normal_email(self.email)

    @property
    def email_confirmed(self) -> bool:
        return self.email_confirmed_at is not None

    @property
    def zone(self) -> zoneinfo.ZoneInfo | None:
        """The time zone, or None (the server's) if there is none or this machine doesn't know it."""
        try:
            return zoneinfo.ZoneInfo(self.time_zone) if self.time_zone else None
        except zoneinfo.ZoneInfoNotFoundError:
            return None

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name

    @property
    def hue(self) -> int:
        """The avatar's colour, 0 to HUES - 1: the chosen one, or one derived from the id."""
        return self.pk * 7 % HUES if self.chosen_hue is None else self.chosen_hue

    @property
    def has_status(self) -> bool:
        """Whether there is a status, and it has not ended."""
        if not self.status_emoji and not self.status_text:
            return False
        return self.status_until is None or self.status_until > timezone.now()

    @property
    def quiet_hours(self) -> QuietHours | None:
        """When this person gets no notifications. None if there are no such hours."""
        if not self.quiet_start:
            return None
        zone = self.time_zone if self.zone else settings.TIME_ZONE
        return QuietHours(self.quiet_start, self.quiet_end, zone)

    @property
    def is_quiet(self) -> bool:
        """Whether it is one of these hours."""
        hours = self.quiet_hours
        return hours is not None and hours.include(timezone.now())

    @property
    def picture_url(self) -> str | None:
        """URL of the picture, or None. It changes with the picture, so responses can be cached."""
        # Not reverse(): it is too slow for something every serialized message needs.
        return f"/api/users/{self.pk}/picture/{self.picture}/" if self.picture else None


class Picture(models.Model):
    """A user's picture, as re-encoded by pictures.reencode(). User.picture is its digest."""

    user = models.OneToOneField(
        User, primary_key=True, on_delete=models.CASCADE, related_name="+", verbose_name=_("person")
    )
    image = models.BinaryField()  # WebP

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")

    def __str__(self) -> str:
        return str(self.user)


class LiveSignIns(models.QuerySet["SignIn"]):
    def live(self) -> LiveSignIns:
        """The valid ones: not ended, not expired, of an active account."""
        return self.filter(
            ended_at__isnull=True, expires_at__gt=timezone.now(), user__is_active=True
        )


class SignIn(models.Model):
    """One browser session, or one family of access and refresh tokens. See the module's docstring."""

    class Kind(models.TextChoices):
        WEB = "web", _("Browser")
        TOKEN = "token", _("App")

    sid = models.CharField(primary_key=True, max_length=43, default=new_sid, editable=False)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="sign_ins", verbose_name=_("person")
    )
    kind = models.CharField(_("kind"), max_length=5, choices=Kind.choices)
    # The id of the refresh token that is currently valid; "" for a browser.
    refresh_jti = models.CharField(max_length=32, blank=True, default="", editable=False)
    # The id of the previous one, while it may be sent again in case the response was lost. "" once
    # `refresh_jti` or an access token issued with it has been used. The database has defaults for
    # servers of an older version that still run during an update.
    previous_jti = models.CharField(
        max_length=32, blank=True, default="", db_default="", editable=False
    )
    rotated_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The client's user agent. Shown to the account's owner, never trusted.
    client = models.CharField(_("client"), max_length=200, blank=True, default="")
    # Hash of the IP address it started at, to recognise that address: see actions.hash_of_address.
    address_hash = models.CharField(
        max_length=32, blank=True, default="", db_default="", editable=False
    )
    created_at = models.DateTimeField(_("started"), default=timezone.now)
    last_seen_at = models.DateTimeField(_("last active"), default=timezone.now)
    # When the browser's session or the current refresh token expires. Each use extends it.
    expires_at = models.DateTimeField(_("expires"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects: ClassVar[models.Manager[SignIn]] = LiveSignIns.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["web", "token"]), name="sign_in_kind_is_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["user", "-last_seen_at"],
                condition=models.Q(ended_at__isnull=True),
                name="sign_in_not_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.user}"

    @property
    def client_name(self) -> str:
        return describe_client(self.client)
