"""Domains of email addresses."""

from __future__ import annotations

import idna
from django.core.exceptions import ImproperlyConfigured

from chatty.conf.env import get_list


def ascii_domain(domain: str) -> str:
    """Return a domain in lower case and as in DNS (xn--mnchen-3ya.example), or "" if it is not one."""
    try:
        return idna.encode(domain.lower(), strict=True).decode()
    except idna.IDNAError:
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
