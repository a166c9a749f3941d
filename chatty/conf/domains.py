"""Domains of email addresses."""

from __future__ import annotations

import idna
from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import punycode

from chatty.conf.env import get_list


def ascii_domain(domain: str) -> str:
    """Return a domain in lower case and as in DNS (xn--mnchen-3ya.example), or "" if it is not one."""
    try:
        return idna.encode(domain.lower(), strict=True).decode()
    except idna.IDNAError:
        return ""


def mail_domain(domain: str) -> str:
    """Return the domain as in DNS if emails to it arrive there, else "".

    Django sends them to the domain as IDNA 2003 has it, which leaves characters out that no one sees, and
    replaces others, such as full-width letters and "ß": those are other spellings of another domain.
    """
    name = ascii_domain(domain)
    try:
        return name if name and punycode(domain).lower() == name else ""
    except UnicodeError:
        return ""


def get_domains(name: str) -> list[str]:
    """Read a setting that lists domains. Raises ImproperlyConfigured."""
    found = []
    for item in get_list(name):
        domain = ascii_domain(item)
        if "." not in domain or domain.endswith("."):
            raise ImproperlyConfigured(
                f"{name}: {item!r} must be a domain, such as example.org, without @ and *."
            )
        found.append(domain)
    return found
