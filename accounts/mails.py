"""Emails, sent by a background thread.

A mail server may take seconds to respond. Requests do not wait for it, so they stay fast and their
duration does not reveal whether there was anything to send.
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

# One thread needs one database connection. The minimum of DATABASE_POOL includes it.
_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
_places = threading.BoundedSemaphore(WAITING_MAX)


def send_in_background(email: Callable[[], EmailMessage | None]) -> None:
    """Send what `email` returns. Raises ChatError("busy") while too many emails are waiting.

    `email` is called in the background thread too. A failure is only logged, and an unsent email is
    lost if the process is killed: people can request another.
    """
    if not _places.acquire(blocking=False):
        raise ChatError("busy", retry_after=10)
    _executor.submit(_deliver, email)


def _deliver(email: Callable[[], EmailMessage | None]) -> None:
    try:
        try:
            mail = email()
        finally:
            connections.close_all()  # free it before waiting for the mail server
        if mail is not None:
            mail.send()
            metrics.MAILS.labels("sent").inc()
    except Exception as error:
        metrics.MAILS.labels("failed").inc()
        # The log must not contain the recipient.
        log.error("An email could not be sent: %s", logs.describe_error(error))
    finally:
        _places.release()


def password_reset_email(user: User, *, site: str, path: str, language: str) -> EmailMessage:
    """Return the email with the reset link.

    `site`: "https://chat.example.org". `language`: used if the person has chosen none.
    """
    host = urlsplit(site).netloc
    context = {"name": user.name, "host": host, "site": site, "link": site + path}
    with translation.override(user.language or language):
        subject = _("Reset your password for Chatty at %(host)s") % {"host": host}
        words = render_to_string("mails/reset.txt", context)
    return EmailMessage(subject, words, to=[user.email])
