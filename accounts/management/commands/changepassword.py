"""Django's command, extended to end all sign-ins, as every other password change does."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import changepassword

from accounts import actions
from accounts.queries import user_by_email


class Command(changepassword.Command):
    help = "Change someone's password and sign them out everywhere."

    def handle(self, *args: Any, **options: Any) -> str | None:
        text: str | None = super().handle(*args, **options)
        user = user_by_email(options["username"] or "")
        if user is not None:
            actions.end_sign_ins(user)
        return text
