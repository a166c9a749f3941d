"""Static files for production: hashed, compressed, with minified and bundled scripts."""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import get_finders
from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from rjsmin import jsmin
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

from chatty.assets.bundle import (
    Source,
    bundle,
    collect_modules,
    exported_names,
    imported_names,
    merge_imports,
)
from chatty.assets.private_names import shorten_private_names

# As the manifest names files. Their content never changes. Names of earlier versions have 12 digits, and
# their pages can still be open.
_DIGITS = 8  # each page has a hundred of these names, and digits can't be compressed
_HASHED_NAME = re.compile(rf"[\w./-]+\.[0-9a-f]{{{_DIGITS},12}}\.\w+", re.ASCII)
# They are started by <script>, and no module imports them.
_STARTED_ALONE = {"js/offline.js", "js/signed_out.js", "js/unsent_notice.js"}


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Responds with whole files instead of streaming them.

    Requests are answered in one piece (chatty/server/request_handler.py), and these files are small. Only
    the file is closed, not WhiteNoise's response: closing a response sends request_finished, whose
    receivers clean up database connections.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        url = request.path_info
        if url.startswith(self.static_prefix) and url not in self.files:
            self._find_collected_since(url)
        response: HttpResponse = super().__call__(request)
        return response

    def _find_collected_since(self, url: str) -> None:
        """While processes are updated one by one, pages of the new build also request files from those of the
        old one, which read the directory when they started."""
        name = url.removeprefix(self.static_prefix)
        if self.autorefresh or not _HASHED_NAME.fullmatch(name) or not self.url_is_canonical(url):
            return
        path = Path(self.static_root) / name
        if path.is_file():
            self.add_file_to_dictionary(url, str(path))

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


# The bundles, each with the views in it (static/js/views/) and what they import. A bundle has no module that
# is in one before it. main.js is in none: it runs on load, and importing something else from a bundle must
# not start it.
FIRST, SUGGESTIONS = "js/first.js", "js/suggestions.js"
_BUNDLES = {
    # Every signed-in page, at once.
    FIRST: "shortcuts",
    # At once where a conversation is open: to read and write.
    "js/conversation.js": "conversation_page",
    # Every page, when it is idle. It imports the one above: to send what is unsent, and so that the first
    # conversation opens as fast as others.
    "js/later.js": (
        "background badge connection heading keyboard message_actions message_links"
        " navigation pane_start presence read_marks sending sidebar sign_out writing_start"
    ),
    # Every page, if notifications are turned on.
    "js/notifications.js": "notifier system_notifications",
    # Every page, when it is idle.
    "js/offline_reading.js": "offline_reading offline_page notification_offer",
    # Pages with forms. Each is small, and its name in the import map would be in every page.
    "js/forms.js": (
        "avatar_preview copy_link emoji_field follow_rights join_requests kept_form offline_setting people"
        " save_at_once search_menus"
    ),
    # When something in the list of conversations changes, as when messages are read.
    "js/list.js": "sidebar_list badge_icon",
    # When someone writes "@", "#" or ":". Only its view is imported, so that it keeps its connect().
    SUGGESTIONS: "suggestions",
}
# What the suggestions import and is in a file of its own, because others that are loaded later need it, too.
_SHARED = (
    *("lib/custom_emoji.js", "lib/emoji.js", "lib/emoji_choices.js"),
    *("lib/match.js", "lib/recent.js"),
    *("views/custom_emoji.js", "views/typed_text.js", "views/writing_templates.js"),
)
# Not files: rendered in the language of the page by conversations/web/script_templates.py.
_RENDERED = ("templates.js", "writing_templates.js", "files_templates.js")

# The style sheets of every page, in this order, as one file. The first defines the order of the layers.
CORE_STYLES = "css/core.css"
CORE_STYLE_PARTS = tuple(
    f"css/{name}.css"
    for name in (
        "reset",
        "tokens",
        "base",
        "layout",
        "components/icons",
        "components/controls",
        "components/avatar",
        "components/sidebar",
        "components/sidebar_rows",
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
        "utilities",
    )
)
# What the pages of signed-in people have besides: messages, and what they contain.
MESSAGE_STYLES = "css/messages.css"
MESSAGE_STYLE_PARTS = tuple(
    f"css/components/{name}.css" for name in ("content", "files", "notices")
)
# In minified code.
_CONST = re.compile(r"\bconst(?=[ {\[])")
_SEPARATED = re.compile(r"(?<![\w.$])\d+(?:_\d{3})+(?![\w.])")  # 10_000
# What the scripts can do without: the end of a line after a block, and a semicolon or comma before a closing
# bracket, except for the comma of /\d{3,}/.
_SPARE = re.compile(r"(?<=})\n|;(?=})|(?<!\d),(?=[)}])")

# Values that two letters can say, and declarations that follow one another.
_BOOLEAN = re.compile(r"(?:(?<=[=(:,?\[|&>])|(?<=\breturn) )(true|false)(?=[;,)}?:&|\n])")
_NOTHING = re.compile(r"\breturn undefined(?=[;}])")
_NEW = re.compile(r"\bnew (\w+)\(\)(?=[;,)}\]])")  # without arguments
_INFINITE = re.compile(r"""(?<![\w$."'`])Infinity(?=[;,)\]])""")
_PARAMETER = re.compile(r"(?<![\w$)\]])\((\w+)\)=>")  # of a function with just one
_DECLARATIONS = re.compile(
    r"(?<!export )\b(let ?(?:[^;{}()\n]|\{[^{}()\n]*\}|\([^{}()\n]*\))+);let ?(?=[\w{\[])"
)

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# In style sheets. Strings stay as they are, and so does the space of an empty value, as in `--dark: ;`, which
# older browsers need.
_STRING = re.compile(r"""("[^"\n]*"|'[^'\n]*')""")
_SPACE = re.compile(r"\s+")
_SPACE_AROUND = re.compile(r"(?<!:) ?([{};,>]) ?|(?<=:) (?!;)")
_ZERO = re.compile(r"(?<![\w.])0(?=\.\d)")  # 0.5rem

# A module's name in an import.
_SPECIFIER = re.compile(r'"chatty/(?P<module>[\w/]+\.js)"')


class BundlingManifestStorage(CompressedManifestStaticFilesStorage):
    """Minifies our files, and bundles most modules into seven files and most style sheets into one.

    static("js/chat/store.js") then returns the URL of the bundle that contains the module, so pages
    and modules do not depend on the bundling. In the served files, modules import the bundles by name,
    so that the import map, which is part of each page, doesn't have to list everything in them.
    """

    def _save(self, name: str, content: Any) -> str:
        if _is_script(name):
            content.seek(0)  # hashing has read it to the end
            content = ContentFile(_minify_script(content.read().decode()).encode())
        elif name.startswith("css/"):
            content.seek(0)
            content = ContentFile(_minify_styles(content.read().decode()).encode())
        return str(super()._save(name, content))

    def file_hash(self, name: str, content: Any = None) -> str | None:
        digest: str | None = super().file_hash(name, content)
        return digest and digest[:_DIGITS]

    def post_process(self, paths: dict[str, Any], **options: Any) -> Iterator[Any]:
        """`paths` maps the name of each collected file to (storage, path in it)."""
        self.holders: dict[str, str] = {}
        if options.get("dry_run"):
            return
        scripts = [name.removeprefix("js/") for name in paths if _is_script(name)]
        made = list(bundles(lambda module: _read(*paths[f"js/{module}"]), scripts))
        for name, modules, text in made:
            self._replace(paths, [f"js/{module}" for module in modules], name, text)
        for name, parts in (
            (CORE_STYLES, CORE_STYLE_PARTS),
            (MESSAGE_STYLES, MESSAGE_STYLE_PARTS),
        ):
            if all(part in paths for part in parts):
                self._replace(paths, parts, name, "\n".join(_read(*paths[part]) for part in parts))
        for name in list(filter(_is_script, paths)):
            before_naming = _read(*paths[name])
            text = merge_imports(_SPECIFIER.sub(self._name_bundle, before_naming))
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
    named = sorted(path for path in paths - _STARTED_ALONE if _is_script(path))
    urls = {path: static(path) for path in named}
    modules_of = Counter(urls.values())
    by_view = {f"js/{view}" for views in _BUNDLES.values() for view in _modules(views)}
    known = {path: url for path, url in urls.items() if modules_of[url] == 1 or path in by_view}
    if len(known) < len(urls):
        known |= {name: static(name) for name in _BUNDLES if name != SUGGESTIONS}
    return {f"chatty/{path.removeprefix('js/')}": url for path, url in known.items()}


def bundles(source: Source, scripts: Iterable[str]) -> Iterator[tuple[str, list[str], str]]:
    """Yield the name of each bundle, its modules and its source. `scripts`: all modules that are served."""
    scripts = list(scripts)
    files: dict[str, str] = {}  # module -> its bundle
    for name, modules in _contents(source):
        others = [module for module in scripts if module not in modules]
        # Modules are imported by name, and views also by import().
        entries = _modules(_BUNDLES[name])
        needed = imported_names(others, source) | exported_names(entries, source)
        views = [view for view in entries if view in modules and name != SUGGESTIONS]
        yield name, modules, bundle(modules, source, needed=needed, files=files, views=views)
        files |= dict.fromkeys(modules, name.removeprefix("js/"))


def _contents(source: Source) -> Iterator[tuple[str, list[str]]]:
    """Yield the modules of each bundle."""
    done = [*_RENDERED]
    for name, views in _BUNDLES.items():
        entries = ["main.js", *_modules(views)] if name == FIRST else _modules(views)
        shared = _SHARED if name == SUGGESTIONS else ()
        modules = collect_modules(entries, source, without=[*done, *shared])
        done += modules
        yield name, [module for module in modules if module != "main.js"]


def _modules(views: str) -> list[str]:
    return [f"views/{view}.js" for view in views.split()]


def _is_script(name: str) -> bool:
    return name.startswith("js/") and name.endswith(".js")


def _minify_script(text: str) -> str:
    """Remove comments and spaces, and shorten what can be written in fewer letters."""
    text = shorten_private_names(jsmin(text))
    text = _SPARE.sub("", _CONST.sub("let", text))
    text = _BOOLEAN.sub(lambda found: "!0" if found[1] == "true" else "!1", text)
    text = _INFINITE.sub("1/0", _NOTHING.sub("return", text))
    text = _PARAMETER.sub(r"\1=>", _NEW.sub(r"new \1", text))
    while (joined := _DECLARATIONS.sub(r"\1,", text)) != text:
        text = joined
    return _SEPARATED.sub(lambda found: found[0].replace("_", ""), text)


def _minify_styles(text: str) -> str:
    """Remove comments, and white space that separates nothing."""
    parts = _STRING.split(_COMMENT.sub("", text))
    parts[::2] = map(_without_spaces, parts[::2])
    return "".join(parts).strip()


def _without_spaces(part: str) -> str:
    short = _SPACE_AROUND.sub(r"\1", _SPACE.sub(" ", part))
    return _ZERO.sub("", short).replace(";}", "}")


def _read(storage: Any, path: str) -> str:
    with storage.open(path) as file:
        return str(file.read().decode())
