"""Static files as they are served: hashed, compressed, and scripts without what only people read."""

from __future__ import annotations

import io
import re
from typing import Any

from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Answers with whole files. A streamed one Django's ASGI handler would read into memory all the
    same, chunk by chunk through threads, and warn about it.

    Nothing is closed but the file: closing a Django response says that the request has ended, and
    whoever hears that looks after the database's connections.
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        with found.file or io.BytesIO() as file:
            response = HttpResponse(file.read(), status=int(found.status))
        del response.headers["Content-Type"]  # WhiteNoise's own, or none: 304 has no content
        for name, value in found.headers:
            response.headers[name] = value
        return response


class SqueezedManifestStorage(CompressedManifestStaticFilesStorage):
    """Drops whole-line comments and indentation from our own modules when they are collected.

    Nothing is renamed or joined: line for line, a served module is still the one in static/js.
    """

    def _save(self, name: str, content: Any) -> str:
        if name.startswith("js/") and name.endswith(".js"):
            content.seek(0)  # it was read for its hash
            content = ContentFile(squeeze(content.read().decode()).encode())
        return str(super()._save(name, content))


_BEHIND_CODE = re.compile(r"""^([^'"`/]*?)\s+// .*$""")


def squeeze(script: str) -> str:
    """Return the script without blank lines, indentation and comments: those with lines of their own,
    and those behind code in which no quote or slash could begin a text or a pattern.

    Lines stay lines, so a semicolon left out means what it did. Only for scripts whose template
    literals end on the line they began (tests/js holds ours to that).
    """
    kept: list[str] = []
    inside = False
    for line in script.splitlines():
        bare = line.strip()
        if inside or bare.startswith("/*"):
            inside = "*/" not in bare
        elif bare and not bare.startswith("//"):
            kept.append(_BEHIND_CODE.sub(r"\1", bare))
    return "\n".join(kept) + "\n"
