"""Static files as they are served: hashed, compressed, and scripts in few files of few bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from rjsmin import jsmin
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

from chatty.assets.bundle import Source, bundle, needed


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Answers with whole files. A streamed one Django's ASGI handler would read into memory all the
    same, chunk by chunk through threads, and warn about it.

    Nothing is closed but the file: closing a Django response says that the request has ended, and
    whoever hears that looks after the database's connections.
    """

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        """The list of all files is for us: it names what no page shows to whoever asks."""
        if not url.endswith("/staticfiles.json"):
            super().add_file_to_dictionary(url, path, stat_cache=stat_cache)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        with found.file or io.BytesIO() as file:
            response = HttpResponse(file.read(), status=int(found.status))
        del response.headers["Content-Type"]  # WhiteNoise's own, or none: 304 has no content
        for name, value in found.headers:
            response.headers[name] = value
        return response


# What every page of somebody signed in loads: at once, and when it is live. main.js is in neither: it
# begins as soon as it is loaded, which must not come of wanting something beside it.
FIRST = "js/first.js"
LATER = "js/later.js"
_COME_LATER = (
    "announcer background badge connection details forms keyboard message_actions message_links"
    " people presence sign_out switcher typing"
)


class BundlingManifestStorage(CompressedManifestStaticFilesStorage):
    """Serves our modules without what only people read, and most of them in two files.

    static("js/chat/store.js") is then the address of the file that holds it, so neither pages nor
    other modules need to know.
    """

    def _save(self, name: str, content: Any) -> str:
        if _is_script(name):
            content.seek(0)  # it was read for its hash
            content = ContentFile(jsmin(content.read().decode()).encode())
        return str(super()._save(name, content))

    def post_process(self, paths: dict[str, Any], **options: Any) -> Iterator[Any]:
        """`paths`: from the name of each collected file to (storage, its path there)."""
        self.holders: dict[str, str] = {}
        if options.get("dry_run"):
            return
        for name, modules, text in bundles(lambda module: _read(*paths[f"js/{module}"])):
            self.delete(name)
            self.save(name, ContentFile(text.encode()))
            paths[name] = (self, name)
            for module in modules:
                paths.pop(f"js/{module}")
                self.holders[f"js/{module}"] = name
        # WhiteNoise writes the compressed files by itself, and a proxy may read those, too.
        before = os.umask(0o022)
        try:
            yield from super().post_process(paths, **options)
        finally:
            os.umask(before)

    def save_manifest(self) -> None:
        for module, holder in self.holders.items():
            self.hashed_files[module] = self.hashed_files[holder]
        super().save_manifest()


def bundles(source: Source) -> Iterator[tuple[str, list[str], str]]:
    """Yield the name of each bundle, the modules in it and its text."""
    first = [module for module in needed(["main.js"], source) if module != "main.js"]
    later = needed([f"views/{name}.js" for name in _COME_LATER.split()], source, without=first)
    yield FIRST, first, bundle(first, source)
    yield LATER, later, bundle(later, source)


def _is_script(name: str) -> bool:
    return name.startswith("js/") and name.endswith(".js")


def _read(storage: Any, path: str) -> str:
    with storage.open(path) as file:
        return str(file.read().decode())
