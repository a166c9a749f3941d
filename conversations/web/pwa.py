"""Chatty as an installed app: manifest, service worker, offline page, share target, notifications.

Manifest, service worker and offline page are the same for everyone with the same language. Of the database,
they only need the name of the installation.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render, resolve_url
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.installation import installation_name
from chatty.assets.build import build_id
from chatty.assets.static_files import CORE_STYLE_PARTS, MESSAGE_STYLE_PARTS
from conversations import limits
from conversations.models import Conversation
from conversations.web import script_templates
from conversations.web.conversation_page import Composer
from conversations.web.layout import get_sidebar
from conversations.web.sidebar import BLANK_ITEM, Sidebar
from conversations.web.signed_in import member_view

# The files of the offline page, and its modules. It requests them with this query, so that the service worker
# can serve just these from its cache and doesn't handle the files of other pages.
_QUERY = "?offline"
OFFLINE_FILES = (
    *CORE_STYLE_PARTS,
    "css/components/card.css",
    *MESSAGE_STYLE_PARTS,
    "css/components/attach.css",
    "js/offline.js",
    "img/favicon.svg",
)


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """The web app manifest. Manifests have no colours for dark mode; pages set theirs themselves."""
    home, name = reverse("conversations:home"), installation_name()
    answer = JsonResponse(
        {
            "id": home,
            "name": name,
            "short_name": name,
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
                {"name": _("New message"), "url": reverse("conversations:direct")},
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
    """The service worker, with its files to cache. Browsers update it when this text changes."""
    answer = HttpResponse(_worker(), content_type="text/javascript; charset=utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Service-Worker-Allowed"] = reverse("conversations:home")
    return answer


def _worker() -> str:
    draw = _draw_worker.__wrapped__ if settings.DEBUG else _draw_worker
    return draw(translation.get_language(), settings.OFFLINE_READING, installation_name())


@lru_cache(maxsize=8)
def _draw_worker(language: str | None, has_frame: bool, name: str) -> str:
    """`language`: the active one. `name`: of the installation."""
    page = _offline_page(None, name)
    version = hashlib.blake2s(page.encode(), digest_size=8).hexdigest()
    modules: list[str] = []
    if has_frame:
        modules += script_templates.module_urls(_QUERY).values()
        # The page can be in another language than this request, which browsers make on their own.
        modules += [url + _QUERY for url in script_templates.urls()]
    kept = {
        "version": version,
        "page": reverse("conversations:offline"),
        "files": list(dict.fromkeys([*_offline_files().values(), *modules])),
        "leave": resolve_url("accounts:sign_out"),
    }
    return render_to_string("service_worker.js", {"kept": json.dumps(kept)})


@lru_cache(maxsize=1)
def _offline_files() -> dict[str, str]:
    # By URL first, because several style sheets are one file.
    paths = {f"{static(path)}{_QUERY}": path for path in OFFLINE_FILES}
    return {path: url for url, path in paths.items()}


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """The page that the service worker caches and shows when a page can't be loaded."""
    return HttpResponse(_offline_page(request, installation_name()))


def _offline_page(request: HttpRequest | None, name: str) -> str:
    """Without a request, it has no nonce. It never depends on anything else of the request."""
    context = {"request": request, "files": _offline_files(), "installation_name": name}
    if not settings.OFFLINE_READING:
        return render_to_string("offline.html", context)
    blank = _blank_conversation() | {"page_base": "offline.html", "has_frame": True}
    blank |= {"build": build_id(), "blank_sidebar": Sidebar([BLANK_ITEM], more=False, folds={})}
    return render_to_string("conversations/conversation.html", context | blank)


def _blank_conversation() -> dict[str, Any]:
    """The context of a conversation without anything in it, for scripts to fill in."""
    conversation = Conversation(pk=0, kind=Conversation.Kind.GROUP)
    return {
        "conversation": conversation,
        "title": "{name}",
        "url": reverse("conversations:conversation", args=[0]),
        "members_count": 0,
        "unread": {"count": 0, "url": ""},
        "has_older": True,
        "composer": Composer(key=""),
        "body_max": limits.BODY_MAX,
    }


@member_view("GET")
def share(request: HttpRequest) -> HttpResponse:
    """The share target for other apps: choose the conversation for the shared text."""
    parts: list[str] = []
    for name in ("title", "text", "url"):
        part = request.GET.get(name, "").strip()
        # Many apps repeat the URL in the text.
        if part and not any(part in earlier for earlier in parts):
            parts.append(part)
    rows = [row for row in get_sidebar(request).rows if not row.conversation.archived]
    return render(
        request, "conversations/share.html", {"shared": "\n".join(parts), "conversations": rows}
    )
