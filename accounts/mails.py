"""Emails, sent as deliveries (chatty/jobs/deliveries.py): none is lost, and no request waits for them.

The row of a delivery names a template and what its words are made of. They are made when it is sent, in
the language of the person, together with any link.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Mapping
from email.utils import formataddr, parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils.translation import get_language

from accounts.installation import installation_name
from chatty.jobs import deliveries
from chatty.jobs.deliveries import DestinationError, PostponedError, RefusedError
from chatty.jobs.models import Delivery
from chatty.ops import metrics

KIND = "email"
DESTINATION = "mail server"

# Returns the email for the data of a delivery, or None if there is nothing to send any more.
Template = Callable[[dict[str, Any]], EmailMessage | None]

_templates: dict[str, Template] = {}


def register(name: str, template: Template) -> None:
    """Register the template of an email. Raises ValueError if the name is taken."""
    if name in _templates:
        raise ValueError(f"There is a template {name!r} already.")
    _templates[name] = template


def send_later(template: str, data: Mapping[str, Any]) -> None:
    """Send an email after the commit of the current transaction.

    `data`: for the template, as JSON. Only ids, addresses and settings: no words, links or tokens.
    """
    deliveries.deliver(KIND, DESTINATION, template, data)


def send_now(mail: EmailMessage) -> None:
    """Send an email that someone waits for. Raises DestinationError, RefusedError or PostponedError."""
    _send(mail)


def language_of_page() -> str:
    """Return the language of the page or request that an email follows from, for its template."""
    return get_language() or settings.LANGUAGE_CODE


def context_of(site: str) -> dict[str, Any]:
    """Return what the templates of all emails need. `site`: the base URL of links in it."""
    return {"host": urlsplit(site).netloc, "site": site, "installation": installation_name()}


def email(subject: str, words: str, *, to: str) -> EmailMessage:
    """Return an email. Its sender has the installation's name, unless EMAIL_FROM contains another."""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return EmailMessage(subject, words, formataddr((name or installation_name(), address)), to=[to])


def _prepare(delivery: Delivery) -> EmailMessage | None:
    mail = _templates[delivery.template](delivery.data)
    if mail is not None:
        # The same for each attempt, so that mail servers and programs recognise a repeat.
        _name, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
        domain = sender.rpartition("@")[2] or "localhost"
        mail.extra_headers["Message-ID"] = f"<{delivery.reference}@{domain}>"
    return mail


def _send(mail: EmailMessage) -> None:
    try:
        mail.send()
    except Exception as error:
        metrics.MAILS.labels("failed").inc()
        raise _explain(error) from None
    metrics.MAILS.labels("sent").inc()


def _explain(error: Exception) -> Exception:
    """Return an error without the recipient's address, which the mail server's answers contain."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = max((code for code, _text in error.recipients.values()), default=0)
        text = f"The mail server rejected the recipient with code {code}."
        if code == _CLOSING:
            return DestinationError(text)
        return RefusedError(text) if _is_permanent(code) else PostponedError(text)
    if isinstance(error, smtplib.SMTPDataError) and _is_permanent(error.smtp_code):
        return RefusedError(f"The mail server rejected the message with code {error.smtp_code}.")
    if isinstance(error, smtplib.SMTPResponseException):
        # Not even a permanent one is about this email: the password or the sender is wrong.
        return DestinationError(f"The mail server answered with code {error.smtp_code}.")
    if isinstance(error, smtplib.SMTPException):
        return DestinationError(f"The mail server could not be used: {type(error).__name__}.")
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return DestinationError(f"The mail server could not be reached: {reason}.")
    return error


_CLOSING = 421  # the mail server ends the connection


def _is_permanent(code: int) -> bool:
    return 500 <= code < 600


deliveries.register(KIND, _prepare, _send, templates=_templates)
