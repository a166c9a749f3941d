"""What administrators can change in the admin site, for the whole installation."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

INSTALLATION_NAME_MAX = 40  # code points
WELCOME_MAX = 300


class SignUpPolicy(models.TextChoices):
    """Who can create an account. The values are those of the setting SIGN_UP."""

    OPEN = "open", _("Everyone")
    INVITED = "invited", _("People with an invitation")
    APPROVED = "approved", _("Everyone, after an administrator has approved it")
    CLOSED = "closed", _("No one: administrators create accounts")


class EmojiPolicy(models.TextChoices):
    """Who can add custom emoji. The values are those of the setting CUSTOM_EMOJI."""

    EVERYONE = "everyone", _("Everyone")
    ADMINISTRATORS = "administrators", _("Administrators")


class InstallationSettings(models.Model):
    """One row at most. Without it, the defaults apply. Read it with installation.installation_settings()."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    sign_up = models.CharField(
        _("sign-up"),
        max_length=8,
        choices=SignUpPolicy.choices,
        default=SignUpPolicy.OPEN,
        help_text=_("Who can create an account."),
    )

    name = models.CharField(
        _("name"),
        max_length=INSTALLATION_NAME_MAX,
        blank=True,
        default="",
        db_default="",  # during an upgrade, processes of the previous version insert the row
        help_text=_("Shown in place of “Chatty”, for example the name of your team."),
    )
    welcome = models.CharField(
        _("welcome text"),
        max_length=WELCOME_MAX,
        blank=True,
        default="",
        db_default="",
        help_text=_("What new people read first: one or two sentences."),
    )
    custom_emoji = models.CharField(
        _("custom emoji"),
        max_length=14,
        choices=EmojiPolicy.choices,
        default=EmojiPolicy.EVERYONE,
        db_default=EmojiPolicy.EVERYONE.value,
        help_text=_("Who can add custom emoji."),
    )

    class Meta:
        verbose_name = _("installation settings")
        verbose_name_plural = _("installation settings")
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="installation_has_one_row"),
            models.CheckConstraint(
                condition=models.Q(sign_up__in=["open", "invited", "approved", "closed"]),
                name="installation_sign_up_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(custom_emoji__in=["everyone", "administrators"]),
                name="installation_custom_emoji_is_known",
            ),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = 1
        super().save(*args, **kwargs)
