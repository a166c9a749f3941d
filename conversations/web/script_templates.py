"""The templates and strings of scripts, as a module: the same for everyone with the same language.

Pages only name its URL, which contains a digest of it, so that browsers keep it. It was half of every page.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.views.decorators.http import require_safe

from conversations.web import layout, rows, timeline

# Not public, although it is the same for everyone: like every response, it may renew a session cookie.
KEPT = "private, max-age=31536000, immutable"


@require_safe
def script_templates(request: HttpRequest, language: str, digest: str) -> HttpResponse:
    """The module. A page of another version asks with another digest: it gets ours, but must not keep it."""
    if language not in dict(settings.LANGUAGES):
        language = settings.LANGUAGE_CODE
    ours, module = _module(language)
    response = HttpResponse(module, content_type="text/javascript; charset=utf-8")
    response.headers["Cache-Control"] = KEPT if digest == ours else "no-cache"
    return response


def url() -> str:
    """Return the URL of the module in the active language."""
    language = translation.get_language() or settings.LANGUAGE_CODE
    digest, _module_text = _module(language)
    return reverse("conversations:script_templates", args=[language, digest])


def _module(language: str) -> tuple[str, str]:
    draw = _draw.__wrapped__ if settings.DEBUG else _draw
    return draw(language)


@lru_cache(maxsize=8)
def _draw(language: str) -> tuple[str, str]:
    with translation.override(language):
        page = render_to_string(
            "_script_templates.html",
            {
                "blank_sidebar_row": rows.draw("sidebar_row", row=layout.BLANK_ITEM),
                "blank_message": rows.draw("message", entry=timeline.BLANK_MESSAGE),
                "blank_notice": rows.draw("notice", entry=timeline.BLANK_NOTICE),
                "blank_day": rows.draw("day", entry=timeline.BLANK_DAY),
                "blank_new_line": rows.draw("new_line"),
            },
        )
    lines = "\n".join(line.strip() for line in page.splitlines())
    module = f"export const TEMPLATES = {json.dumps(lines, ensure_ascii=False)};\n"
    return hashlib.blake2s(module.encode(), digest_size=8).hexdigest(), module
