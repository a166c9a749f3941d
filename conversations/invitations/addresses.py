"""The forms of an email address: its domain can be written in Unicode or as punycode."""

from __future__ import annotations

import idna


def forms_of(email: str) -> list[str]:
    """Return the address with its domain as entered, as punycode and in Unicode, without repetitions."""
    local, _at, domain = email.rpartition("@")
    forms = [email]
    for convert in (_ascii, _unicode):
        try:
            forms.append(f"{local}@{convert(domain)}")
        except (idna.IDNAError, UnicodeError):
            continue
    return list(dict.fromkeys(forms))


def _ascii(domain: str) -> str:
    return idna.encode(domain, uts46=True).decode("ascii")


def _unicode(domain: str) -> str:
    return idna.decode(domain, uts46=True)
