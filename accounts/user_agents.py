"""Turns user agents into names that people recognise in their list of sessions."""

from __future__ import annotations

from django.utils.translation import gettext as _

# The first match wins: most browsers also claim to be the ones further down.
_BROWSERS = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
]
_SYSTEMS = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
]


def describe_client(user_agent: str) -> str:
    """Return "Firefox on Linux" if both are recognised, else the user agent itself."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return user_agent or _("Unknown app")


def _first(known: list[tuple[str, str]], text: str) -> str:
    return next((name for sign, name in known if sign in text), "")
