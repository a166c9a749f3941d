"""People who have asked for an account, and don't have one yet."""

from __future__ import annotations

from django.contrib.auth.hashers import check_password
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import EMAIL_MAX, NAME_MAX, User

NOTE_MAX = 500


class SignUpRequest(models.Model):
    """Someone who wants an account, and what it will consist of. Approving creates the account, or
    confirming the address if people with such an address may sign up by themselves.

    It is not a deactivated User: no one finds, counts or adds people who are not here yet, and removing
    the row removes all that is known of them.
    """

    class State(models.TextChoices):
        UNCONFIRMED = "unconfirmed", _("Email address not confirmed")
        WAITING = "waiting", _("Waiting")
        REJECTED = "rejected", _("Rejected")

    email = models.EmailField(_("email address"), max_length=EMAIL_MAX)
    name = models.CharField(_("name"), max_length=NAME_MAX)
    password = models.CharField(max_length=128, editable=False)  # hashed
    time_zone = models.CharField(max_length=64, blank=True, default="", editable=False)
    # Of the page where they asked, for the email with the answer.
    language = models.CharField(max_length=16, blank=True, default="", editable=False)
    note = models.TextField(_("note"), max_length=NOTE_MAX, blank=True, default="")
    state = models.CharField(
        _("state"), max_length=11, choices=State.choices, default=State.WAITING
    )
    created_at = models.DateTimeField(_("asked"), default=timezone.now)
    decided_at = models.DateTimeField(_("answered"), null=True, blank=True)

    class Meta:
        verbose_name = _("sign-up request")
        verbose_name_plural = _("sign-up requests")
        constraints = [
            # Anyone can enter anyone's address, so unconfirmed ones must not keep its owner out.
            models.UniqueConstraint(
                fields=["email"],
                condition=models.Q(state__in=["waiting", "rejected"]),
                name="sign_up_request_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["unconfirmed", "waiting", "rejected"]),
                name="sign_up_request_state_is_known",
            ),
        ]
        indexes = [models.Index(fields=["state", "created_at"], name="sign_up_request_by_state")]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    def new_account(self) -> User:
        """Return the account that was asked for, which is not stored yet."""
        return User(
            email=self.email, name=self.name, password=self.password, time_zone=self.time_zone
        )

    def check_password(self, raw_password: str) -> bool:
        return check_password(raw_password, self.password)
