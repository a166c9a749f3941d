"""Creates and ends the sign-in row whenever a browser is signed in or out.

Django's login() and logout() send these signals, so the row is also right for the admin site,
tests and code that is added later.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import actions
from accounts.models import User
from accounts.sessions import SID_KEY


@receiver(user_logged_in, dispatch_uid="accounts.begin")
def begin_sign_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    actions.begin_web_sign_in(request, user)


@receiver(user_logged_out, dispatch_uid="accounts.end")
def end_sign_in(request: HttpRequest, **kwargs: Any) -> None:
    if sid := request.session.get(SID_KEY):
        actions.end_sign_in(sid)
