"""Custom emoji and their pictures."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.custom_emoji import limits


class EmojiPicture(models.Model):
    """A picture, as pictures.make() has encoded it. It never changes, and several emoji can have it.

    `image`: empty once an administrator has deleted it. The row stays, so that it can't be added again.
    """

    address = models.CharField(primary_key=True, max_length=21, editable=False)
    image = models.BinaryField()
    still = models.BinaryField()

    class Meta:
        verbose_name = _("picture of custom emoji")
        verbose_name_plural = _("pictures of custom emoji")

    def __str__(self) -> str:
        return self.address


class CustomEmoji(models.Model):
    """A name for a picture. A removed one stays, because messages and reactions show it."""

    name = models.CharField(_("name"), max_length=limits.NAME_MAX)
    # Names it had before, the latest last. In texts, they still mean this emoji.
    former_names = models.JSONField(_("former names"), default=list, blank=True)
    picture = models.ForeignKey(
        EmojiPicture, on_delete=models.PROTECT, related_name="emoji", verbose_name=_("picture")
    )
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("added by"),
    )
    created_at = models.DateTimeField(_("added"))
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("removed by"),
    )

    class Meta:
        verbose_name = _("custom emoji")
        verbose_name_plural = _("custom emoji")
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(removed_at=None), name="custom_emoji_name_once"
            ),
        ]

    def __str__(self) -> str:
        return f":{self.name}:"
