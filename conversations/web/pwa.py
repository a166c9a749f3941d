"""What makes a device take Chatty for an app of its own: manifest, service worker, what is shared with it.

The first two and the page for when there is no connection are the same for everybody: they ask
neither the database nor who one is.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from conversations.web.forms import LEVELS
from conversations.web.layout import get_sidebar
from conversations.web.signed_in import member_view

# What the page without a connection is made of. With "?offline" these addresses are its own: the
# service worker answers for them, and every other page gets its files past it.
OFFLINE_FILES = (
    "css/reset.css",
    "css/tokens.css",
    "css/base.css",
    "css/components/controls.css",
    "css/utilities.css",
    "css/components/card.css",
    "js/offline.js",
    "img/favicon.svg",
)


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """What the device is told. It knows no second set of colours for the dark: pages bring theirs."""
    home = reverse("conversations:home")
    answer = JsonResponse(
        {
            "id": home,
            "name": "Chatty",
            "short_name": "Chatty",
            "description": _("Chat for your team, on your own server."),
            "lang": translation.get_language() or settings.LANGUAGE_CODE,
            "dir": "rtl" if translation.get_language_bidi() else "ltr",
            "start_url": home,
            "scope": home,
            "display": "standalone",
            "background_color": "#f5f6fb",
            "theme_color": "#ffffff",
            "categories": ["social", "productivity"],
            "icons": [
                _image("img/favicon.svg", "any", "image/svg+xml"),
                _image("img/icon-192.png", "192x192"),
                _image("img/icon-512.png", "512x512"),
                {**_image("img/icon-maskable-512.png", "512x512"), "purpose": "maskable"},
            ],
            "shortcuts": [
                {"name": _("New direct message"), "url": reverse("conversations:direct")},
                {"name": _("New conversation"), "url": reverse("conversations:new")},
            ],
            "share_target": {
                "action": reverse("conversations:share"),
                "method": "GET",
                "enctype": "application/x-www-form-urlencoded",
                "params": {"title": "title", "text": "text", "url": "url"},
            },
        },
        content_type="application/manifest+json",
    )
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def _image(path: str, sizes: str, kind: str = "image/png") -> dict[str, str]:
    return {"src": static(path), "sizes": sizes, "type": kind}


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script, with what it is to keep; another text, and so another worker, when that changes."""
    answer = HttpResponse(_worker(), content_type="text/javascript; charset=utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Service-Worker-Allowed"] = reverse("conversations:home")
    return answer


def _worker() -> str:
    page = render_to_string("offline.html", {"files": _offline_files()})
    version = hashlib.blake2s(page.encode(), digest_size=8).hexdigest()
    kept = {
        "version": version,
        "page": reverse("conversations:offline"),
        "files": list(_offline_files().values()),
    }
    return render_to_string("service_worker.js", {"kept": json.dumps(kept)})


@lru_cache(maxsize=1)
def _offline_files() -> dict[str, str]:
    return {path: f"{static(path)}?offline" for path in OFFLINE_FILES}


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Kept by the service worker, and shown in place of a page that cannot be had."""
    return render(request, "offline.html", {"files": _offline_files()})


@member_view("GET")
def share(request: HttpRequest) -> HttpResponse:
    """Where other apps send what is shared with this one: choose a conversation, then say it there."""
    parts: list[str] = []
    for name in ("title", "text", "url"):
        part = request.GET.get(name, "").strip()
        # Many apps put the address into the text as well.
        if part and not any(part in earlier for earlier in parts):
            parts.append(part)
    rows = [row for row in get_sidebar(request).rows if not row.archived]
    return render(
        request, "conversations/share.html", {"shared": "\n".join(parts), "conversations": rows}
    )


@member_view("GET")
def notifications(request: HttpRequest) -> HttpResponse:
    """What this browser is to do, which scripts know, and what each conversation is worth."""
    labels = {str(level): label for level, label in LEVELS}
    rows = [(row, labels[row.level_in_force]) for row in get_sidebar(request).rows]
    return render(request, "conversations/notifications.html", {"rows": rows})
