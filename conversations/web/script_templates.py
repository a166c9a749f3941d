"""The templates and strings of scripts, as modules: the same for everyone with the same language.

Pages only name their URLs, which contain a digest of the content, so that browsers keep them. The first was
half of every page. The others are loaded when someone begins to write, and with the first file.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.http import require_safe

from chatty.assets.static_files import import_map
from conversations.web import rows, sidebar, timeline
from conversations.web.files import BLANK_FILES
from conversations.web.signed_in import parse_id

# Name of a module in its URL -> its template. The import map has them as "chatty/<name>templates.js".
_MODULES = {
    "": "_script_templates.html",
    "writing-": "_writing_templates.html",
    "files-": "_files_templates.html",
}

# Not public, although it is the same for everyone: like every response, it may renew a session cookie.
KEPT = "private, max-age=31536000, immutable"
RETRIES = 4


@require_safe
def script_templates(request: HttpRequest, language: str, digest: str) -> HttpResponse:
    """The module. A page of another version asks with another digest. While processes are updated one by
    one, a further request can reach one that has it. If none does, the page gets ours, but must not keep it.
    """
    if language not in dict(settings.LANGUAGES):
        language = settings.LANGUAGE_CODE
    name = next((name for name in _MODULES if name and digest.startswith(name)), "")
    ours, module = _module(language, name)
    retries = parse_id(request.GET.get("retry")) or 0
    if digest != ours and retries < RETRIES:
        again = json.dumps(f"{request.path}?retry={retries + 1}")
        module = f"export * from {again};\n"
    response = HttpResponse(module, content_type="text/javascript; charset=utf-8")
    response.headers["Cache-Control"] = KEPT if digest == ours else "no-cache"
    return response


def urls() -> list[str]:
    """Return the URL of each module in each language."""
    return [_url(language, name) for language, _label in settings.LANGUAGES for name in _MODULES]


def url() -> str:
    """Return the URL of the module of every page in the active language."""
    return _url(translation.get_language() or settings.LANGUAGE_CODE, "")


def module_urls(query: str = "") -> dict[str, str]:
    """Return the URL of each module that scripts import by name. The templates are in the active language."""
    language = translation.get_language() or settings.LANGUAGE_CODE
    ours = {
        f"chatty/{name.replace('-', '_')}templates.js": _url(language, name) for name in _MODULES
    }
    return {name: address + query for name, address in (import_map() | ours).items()}


def _url(language: str, name: str) -> str:
    digest, _module_text = _module(language, name)
    return reverse("conversations:script_templates", args=[language, digest])


def _module(language: str, name: str) -> tuple[str, str]:
    draw = _draw.__wrapped__ if settings.DEBUG else _draw
    return draw(language, name)


@lru_cache(maxsize=16)
def _draw(language: str, name: str) -> tuple[str, str]:
    """Return what is in its URL, and the module."""
    # Nothing may depend on the reader, such as the date of the blank row.
    with translation.override(language), timezone.override(UTC):
        page = render_to_string(
            _MODULES[name],
            {
                "blank_sidebar_row": rows.draw("sidebar_row", row=sidebar.BLANK_ITEM),
                "blank_message": rows.draw("message", entry=timeline.BLANK_MESSAGE),
                "blank_files": rows.draw("_files", files=BLANK_FILES),
                "blank_notice": rows.draw("notice", entry=timeline.BLANK_NOTICE),
                "blank_day": rows.draw("day", entry=timeline.BLANK_DAY),
                "blank_new_line": rows.draw("new_line"),
            },
        )
    lines = "\n".join(line.strip() for line in page.splitlines())
    module = f"export const TEMPLATES = {json.dumps(lines, ensure_ascii=False)};\n"
    return name + hashlib.blake2s(module.encode(), digest_size=8).hexdigest(), module
