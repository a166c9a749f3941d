"""Mails to people. They are sent beside the request that asks for one.

A mail server may take seconds to answer. Nobody waits for it, and how long a request takes does not
tell whether there was anything to send.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from django.core.mail import EmailMessage
from django.db import connections
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.ops import logs, metrics

log = logging.getLogger(__name__)

WAITING_MAX = 8

# One thread, and so one database connection: DATABASE_POOL counts with it.
_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
_places = threading.BoundedSemaphore(WAITING_MAX)


def send_in_background(email: Callable[[], EmailMessage | None]) -> None:
    """Send what `letter` returns, soon. Raises ChatError("busy") while too many wait.

    It is called beside the request too. What becomes of the mail is only logged, and lost if the
    process is killed: people ask again.
    """
    if not _places.acquire(blocking=False):
        raise ChatError("busy", retry_after=10)
    _executor.submit(_deliver, email)


def _deliver(email: Callable[[], EmailMessage | None]) -> None:
    try:
        try:
            mail = email()
        finally:
            connections.close_all()  # this thread's; others may have it while the mail server thinks
        if mail is not None:
            mail.send()
            metrics.MAILS.labels("sent").inc()
    except Exception as error:
        metrics.MAILS.labels("failed").inc()
        # Whom it was for does not belong into a log.
        log.error("An email could not be sent: %s", logs.describe_error(error))
    finally:
        _places.release()


def password_reset_email(user: User, *, site: str, path: str, language: str) -> EmailMessage:
    """Return the mail with the link by which to choose a new password.

    `site`: "https://chat.example.org". `language`: where the person has chosen none.
    """
    host = urlsplit(site).netloc
    context = {"name": user.name, "host": host, "site": site, "link": site + path}
    with translation.override(user.language or language):
        subject = _("Reset your password for Chatty at %(host)s") % {"host": host}
        words = render_to_string("mails/reset.txt", context)
    return EmailMessage(subject, words, to=[user.email])
