"""Static files for production: hashed, compressed, with minified and bundled scripts."""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.staticfiles.finders import get_finders
from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from rjsmin import jsmin
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

from chatty.assets.bundle import Source, bundle, collect_modules


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Responds with whole files instead of streaming them.

    Requests are answered in one piece (chatty/server/request_handler.py), and these files are small. Only
    the file is closed, not WhiteNoise's response: closing a response sends request_finished, whose
    receivers clean up database connections.
    """

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        """Don't serve the manifest: it lists files that no page links to."""
        if not url.endswith("/staticfiles.json"):
            super().add_file_to_dictionary(url, path, stat_cache=stat_cache)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        with found.file or io.BytesIO() as file:
            response = HttpResponse(file.read(), status=int(found.status))
        del response.headers["Content-Type"]  # set by WhiteNoise below; a 304 has none
        for name, value in found.headers:
            response.headers[name] = value
        return response


# The bundles of every signed-in page: loaded immediately, and once the page is connected. main.js is in
# neither: it runs on load, and importing something else from a bundle must not start it.
FIRST = "js/first.js"
LATER = "js/later.js"
_COME_LATER = (
    "announcer background badge connection forms heading keyboard message_actions message_links presence"
    " sign_out switcher typing"
)
# Not a file: rendered in the language of the page by conversations/web/script_templates.py.
_RENDERED = ("templates.js",)

# The style sheets of every signed-in page, in this order, as one file.
APP_STYLES = "css/app.css"
APP_STYLE_PARTS = tuple(
    f"css/{name}.css"
    for name in (
        "layout",
        "components/avatar",
        "components/sidebar",
        "components/page",
        "components/people",
        "components/conversation",
        "components/message",
        "components/bubble",
        "components/reactions",
        "components/message_actions",
        "components/composer",
        "components/live",
        "components/dialogs",
        "components/details",
    )
)

# A module's name in an import.
_SPECIFIER = re.compile(r'"chatty/(?P<module>[\w/]+\.js)"')


class BundlingManifestStorage(CompressedManifestStaticFilesStorage):
    """Minifies our modules and bundles most of them into two files, and most style sheets into one.

    static("js/chat/store.js") then returns the URL of the bundle that contains the module, so pages
    and modules do not depend on the bundling. In the served files, modules import the bundles by name,
    so that the import map, which is part of each page, doesn't have to list everything in them.
    """

    def _save(self, name: str, content: Any) -> str:
        if _is_script(name):
            content.seek(0)  # hashing has read it to the end
            content = ContentFile(jsmin(content.read().decode()).encode())
        return str(super()._save(name, content))

    def post_process(self, paths: dict[str, Any], **options: Any) -> Iterator[Any]:
        """`paths` maps the name of each collected file to (storage, path in it)."""
        self.holders: dict[str, str] = {}
        if options.get("dry_run"):
            return
        for name, modules, text in bundles(lambda module: _read(*paths[f"js/{module}"])):
            self._replace(paths, [f"js/{module}" for module in modules], name, text)
        if all(name in paths for name in APP_STYLE_PARTS):
            text = "\n".join(_read(*paths[name]) for name in APP_STYLE_PARTS)
            self._replace(paths, APP_STYLE_PARTS, APP_STYLES, text)
        for name in list(filter(_is_script, paths)):
            before_naming = _read(*paths[name])
            text = _SPECIFIER.sub(self._name_bundle, before_naming)
            if text != before_naming:
                self._replace(paths, (), name, text)
        # WhiteNoise writes the compressed files itself. A proxy must be able to read them too.
        before = os.umask(0o022)
        try:
            yield from super().post_process(paths, **options)
        finally:
            os.umask(before)

    def _replace(
        self, paths: dict[str, Any], parts: Iterable[str], bundle_name: str, text: str
    ) -> None:
        self.delete(bundle_name)
        self.save(bundle_name, ContentFile(text.encode()))
        paths[bundle_name] = (self, bundle_name)
        for part in parts:
            paths.pop(part)
            self.holders[part] = bundle_name

    def _name_bundle(self, specifier: re.Match[str]) -> str:
        bundle_name = self.holders.get(f"js/{specifier['module']}")
        return f'"chatty/{bundle_name.removeprefix("js/")}"' if bundle_name else specifier[0]

    def save_manifest(self) -> None:
        for module, holder in self.holders.items():
            self.hashed_files[module] = self.hashed_files[holder]
        super().save_manifest()


def import_map() -> dict[str, str]:
    """Return the URL of each module that is imported by name, "chatty/chat/store.js" for js/chat/store.js."""
    paths = {path for finder in get_finders() for path, _ in finder.list([])}
    urls = {path: static(path) for path in sorted(paths) if _is_script(path)}
    modules_of = Counter(urls.values())
    by_view = {f"js/views/{name}.js" for name in _COME_LATER.split()}
    known = {path: url for path, url in urls.items() if modules_of[url] == 1 or path in by_view}
    if len(known) < len(urls):
        known |= {name: static(name) for name in (FIRST, LATER)}
    return {f"chatty/{path.removeprefix('js/')}": url for path, url in known.items()}


def bundles(source: Source) -> Iterator[tuple[str, list[str], str]]:
    """Yield the name of each bundle, its modules and its source."""
    needed = collect_modules(["main.js"], source, without=_RENDERED)
    first = [module for module in needed if module != "main.js"]
    later = collect_modules(
        [f"views/{name}.js" for name in _COME_LATER.split()], source, without=first
    )
    yield FIRST, first, bundle(first, source)
    yield LATER, later, bundle(later, source)


def _is_script(name: str) -> bool:
    return name.startswith("js/") and name.endswith(".js")


def _read(storage: Any, path: str) -> str:
    with storage.open(path) as file:
        return str(file.read().decode())
