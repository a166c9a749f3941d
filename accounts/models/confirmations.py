"""Links that prove an email address."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.people import EMAIL_MAX
from accounts.models.sign_up import SignUpRequest

VALID_FOR = timedelta(days=1)


def _expiry() -> datetime:
    return timezone.now() + VALID_FOR


class AddressConfirmation(models.Model):
    """A link that was sent to an address: of an account, or of someone who is signing up.

    Only the hash of its token is stored. Several links to one address are valid at the same time, as an
    email can be sent twice; the first that is used removes the others.
    """

    token_hash = models.CharField(primary_key=True, max_length=64, editable=False)
    email = models.EmailField(max_length=EMAIL_MAX)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    request = models.ForeignKey(
        SignUpRequest, null=True, on_delete=models.CASCADE, related_name="+"
    )
    expires_at = models.DateTimeField(default=_expiry, db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None) | Q(request=None),
                name="confirmation_not_of_two",
            ),
        ]

    def __str__(self) -> str:
        return self.email
