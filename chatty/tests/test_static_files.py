"""Static files are served from memory; scripts come in few files, without comments."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import FileSystemStorage
from django.core.signals import request_finished
from django.http import HttpResponse
from django.test import RequestFactory

from chatty.assets import static_files
from chatty.assets.bundle import collect_modules
from chatty.assets.static_files import (
    CORE_STYLE_PARTS,
    CORE_STYLES,
    BundlingManifestStorage,
    StaticFilesMiddleware,
)
from conversations.templatetags.chatty import core_styles

pytestmark = pytest.mark.once

SCRIPTS = Path(settings.BASE_DIR) / "static" / "js"
STYLES = Path(settings.BASE_DIR) / "static" / "css"
MODULES = sorted(SCRIPTS.rglob("*.js"))
# Imports the style sheet of Swagger UI, which is not among our files.
API_DOCS = STYLES / "api_docs.css"
STYLE_NAMES = [
    f"css/{style.relative_to(STYLES)}"
    for style in sorted(STYLES.rglob("*.css"))
    if style != API_DOCS
]
FONT = "fonts/inter.woff2"  # that a style sheet names
NAMES = [*(f"js/{module.relative_to(SCRIPTS)}" for module in MODULES), *STYLE_NAMES, FONT]


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> BundlingManifestStorage:
    """Our own files, as `collectstatic` leaves them."""
    storage = BundlingManifestStorage(
        location=str(tmp_path_factory.mktemp("collected")), base_url="/static/"
    )
    source = FileSystemStorage(location=settings.BASE_DIR / "static")
    paths = dict.fromkeys(NAMES, source)
    for name, kept in paths.items():
        with kept.open(name) as file:
            storage.save(name, file)
    for _, _, done in storage.post_process({name: (kept, name) for name, kept in paths.items()}):
        assert not isinstance(done, Exception)
    return storage


def text_of(storage: BundlingManifestStorage, name: str) -> str:
    return Path(storage.path(storage.stored_name(name))).read_text()


def weight(*texts: str) -> int:
    return sum(len(gzip.compress(text.encode(), 9)) for text in texts)


def test_scripts_are_served_without_comments(collected):
    picture = (SCRIPTS / "views" / "lightbox.js").read_text()
    served = text_of(collected, "js/views/lightbox.js")
    assert "// " in picture
    assert "// " not in served
    assert len(served) < len(picture) * 0.8


def test_no_string_of_a_script_looks_like_what_is_shortened():
    """Scripts are shortened with expressions that don't know strings."""
    for module in MODULES:
        code = re.sub(r"^\s*(//|/?\*).*$", "", module.read_text(), flags=re.MULTILINE)
        shortened = r"\bconst[ {\[]|\d_\d{3}|;}|,[)}]|new \w+\(\)|return (?:true|false)"
        assert not re.search(rf"""(["'`])[^"'`\n]*(?:{shortened})[^"'`\n]*\1""", code), module.name
        assert not re.search(r"`[^`\n]*}\n", code), module.name
        served = static_files._minify_script(module.read_text())
        code = re.sub(r" // .*$", "", code, flags=re.MULTILINE)
        for string in re.findall(r'"(?:[^"\\\n]|\\.)*"', code):
            assert string in served or "#" in string, (module.name, string)


def test_scripts_are_served_without_what_code_can_do_without():
    source = """export class Voice {
      #word;
      speak() {
        for (;;) { call({ word: this.#word, loud: true, }, /\\d{3,}/, ); }
      }
      hear() { if (this.#word) { return false; } return new Map(); }
    }
    export const PAUSE = 1_000;
    const A = 1;
    const B = true, C = f((x) => x, async (x) => x, (x, y) => x);
    function g() { return undefined; }
    h(-Infinity);
    const { D } = { true: "true", D: false };
    """
    served = (
        "export class Voice{#a;speak(){for(;;){call({word:this.#a,loud:!0},/\\d{3,}/)}}"
        "hear(){if(this.#a){return!1}return new Map}}"
        "export let PAUSE=1000;let A=1,B=!0,C=f(x=>x,async(x)=>x,(x,y)=>x);"
        'function g(){return}h(-1/0);let{D}={true:"true",D:!1};'
    )
    assert static_files._minify_script(source) == served
    assert static_files._minify_script(served) == served


def test_style_sheets_keep_strings_and_the_spaces_that_mean_something():
    source = """/* The rows, don't forget */
@layer components {
  .row :is(.a, .b):not([title="x, y; z"])
    > i::before {
    content: "a: b;  {c}" / "";
    font: 1px "Inter", 'X  y', serif;
    margin: calc(1px + 0.5px) 10.5px !important;
    --empty: ;
    --two: 1px;
  }
  @media (width <= 43.75em) and (hover: none) {
    p { color: red; }
  }
}
"""
    assert static_files._minify_styles(source) == (
        '@layer components{.row :is(.a,.b):not([title="x, y; z"])>i::before'
        '{content:"a: b;  {c}" / "";font:1px "Inter",\'X  y\',serif;'
        "margin:calc(1px + .5px) 10.5px !important;--empty: ;--two:1px}"
        "@media (width <= 43.75em) and (hover:none){p{color:red}}}"
    )


def test_modules_are_served_in_bundles(collected):
    """Every module of a bundle has the URL of the bundle, in this process and in a new one."""
    again = BundlingManifestStorage(location=collected.location, base_url="/static/")
    for module, bundle in [
        ("chat/chat", "first"),
        ("chat/store", "conversation"),
        ("views/navigation", "later"),
        ("views/message_actions", "later"),
        ("views/member_source", "suggestions"),
    ]:
        name = again.stored_name(f"js/{module}.js")
        assert re.fullmatch(rf"js/{bundle}\.[0-9a-f]+\.js", name)
        assert again.exists(name)
        assert again.exists(f"{name}.gz")
    for module in ("main", "offline", "signed_out", "views/switcher"):
        assert again.stored_name(f"js/{module}.js").startswith(f"js/{module}.")


def views_of_templates() -> list[str]:
    """The names in data-view, of templates and of form fields."""
    base = Path(settings.BASE_DIR)
    sources = [*base.glob("templates/**/*.html"), *base.glob("*/web/forms.py")]
    found = re.findall(
        r'data-view(?:=|": )"([\w ]+)"', "\n".join(source.read_text() for source in sources)
    )
    assert len(found) > 5
    return " ".join(found).split()


def test_every_view_of_a_template_can_be_connected():
    for view in views_of_templates():
        source = (SCRIPTS / "views" / f"{view}.js").read_text()
        assert re.search(r"^export function connect\(\w+", source, re.MULTILINE), view


def test_import_map_has_every_name_that_served_modules_import(collected, monkeypatch):
    monkeypatch.setattr(static_files, "static", collected.url)
    known = static_files.import_map().keys() | {
        "chatty/templates.js",
        "chatty/writing_templates.js",
        "chatty/files_templates.js",
    }
    served = {name for name in collected.hashed_files.values() if name.endswith(".js")}
    text = "\n".join(Path(collected.path(name)).read_text() for name in served)
    views = re.findall(r'view\(\s*"(\w+)"', text) + views_of_templates()
    imported = set(re.findall(r'"(chatty/[\w/]+\.js)"', text))
    assert len(views) > 20
    assert "chatty/first.js" in imported
    assert imported | {f"chatty/views/{view}.js" for view in views} <= known
    assert len(known) < len(MODULES) - 15  # not what is in bundles, because it is part of each page


def test_style_sheets_of_every_page_are_served_as_one_file(collected):
    urls = {collected.stored_name(name) for name in CORE_STYLE_PARTS}
    (name,) = urls
    served = Path(collected.path(name)).read_text()
    source = Path(settings.BASE_DIR) / "static"
    # The same rules in the same order, without comments and white space.
    parts = [(source / part).read_text() for part in CORE_STYLE_PARTS]
    whole = re.sub(r"/\*.*?\*/", "", "".join(parts), flags=re.DOTALL)
    whole = whole.replace(FONT, collected.stored_name(FONT))
    bare = [re.sub(r"(?<![\w.])0\.", ".", text) for text in (served, whole)]
    rules = ["".join(text.split()).replace(";}", "}") for text in bare]
    assert rules[0] == rules[1]
    assert not re.search(r"/\*|\n", served)


def test_bundled_style_sheets_are_one_link(collected, monkeypatch):
    monkeypatch.setattr(staticfiles_storage, "url", collected.url)
    assert core_styles() == f'<link rel="stylesheet" href="{collected.url(CORE_STYLES)}">'


def test_fonts_with_emoji_come_first_and_only_for_emoji():
    """Some fonts of letters have black outlines of them."""
    folder = Path(settings.BASE_DIR) / "static/css"
    (families,) = re.findall(r"--font:\s*([^;]+);", (folder / "tokens.css").read_text())
    assert families.split(",")[0].strip() == '"Emoji"'
    face = (folder / "base.css").read_text().partition('font-family: "Emoji";')[2].partition("}")[0]
    ranges = re.findall(r"U\+([0-9a-fA-F]+)", face)
    assert ranges
    assert all(int(each, 16) > 0x7F for each in ranges)  # not the digits of keycaps


def test_no_string_of_a_style_sheet_looks_like_a_comment():
    """Comments are removed with an expression that doesn't know strings."""
    for path in (Path(settings.BASE_DIR) / "static/css").rglob("*.css"):
        assert not re.search(r"""["'(][^"'()\n]*/\*[^"'()\n]*["')]""", path.read_text()), path.name


def test_collecting_twice_is_idempotent(collected):
    before = dict(collected.hashed_files)
    source = FileSystemStorage(location=settings.BASE_DIR / "static")
    list(collected.post_process({name: (source, name) for name in NAMES}))
    assert collected.hashed_files == before


# --- budgets: gzipped bytes of our own code ------------------------------------------------------

WITHOUT_CONVERSATION = 14_000  # at once, on any page
WITH_CONVERSATION = 30_000  # until one can read and write
IDLE = 45_000  # with everything that a conversation loads later, and notifications
ON_DEMAND = 10_000  # a module that few people need, and reading offline


def _texts(collected, *modules):
    """What a page loads for these modules: each file once."""
    names = dict.fromkeys(collected.stored_name(f"js/{module}.js") for module in modules)
    return [Path(collected.path(name)).read_text() for name in names]


def test_scripts_of_pages_without_a_conversation_stay_small(collected):
    texts = _texts(collected, "main", "chat/chat", "views/shortcuts")
    assert len(texts) == 2
    assert weight(*texts) <= WITHOUT_CONVERSATION


def _at_once(collected):
    texts = _texts(collected, "main", "chat/chat", "views/conversation_page", "chat/outbox")
    assert len(texts) == 3
    return texts


def test_scripts_for_reading_and_writing_stay_small(collected):
    assert weight(*_at_once(collected)) <= WITH_CONVERSATION


def test_scripts_loaded_when_idle_stay_small(collected):
    idle = _texts(collected, "views/navigation", "views/notifier", "views/system_notifications")
    assert len(idle) == 2
    assert weight(*_at_once(collected), *idle) <= IDLE


def test_scripts_for_reading_offline_stay_small(collected):
    texts = _texts(collected, "views/offline_reading", "views/offline_page", "chat/offline_copy")
    assert len(texts) == 1
    assert weight(*texts) <= ON_DEMAND


def test_scripts_of_pages_for_visitors_stay_small(collected):
    entries = ["signed_out.js", "unsent_notice.js"]
    modules = collect_modules(entries, lambda module: (SCRIPTS / module).read_text())
    sign_in = _texts(collected, *(module.removesuffix(".js") for module in modules))
    assert weight(*sign_in) <= 1_500
    assert weight(*_texts(collected, "offline")) <= 1_000


def test_scripts_loaded_on_demand_stay_small(collected):
    alone = {f"js/{module.relative_to(SCRIPTS)}" for module in MODULES} - set(collected.holders)
    assert "js/views/frame.js" in alone
    for module in (*alone, "js/suggestions.js"):
        assert weight(text_of(collected, module)) <= ON_DEMAND, module


def test_core_styles_stay_small(collected):
    assert weight(text_of(collected, CORE_STYLES)) <= 14_500


def test_styles_of_single_pages_stay_small(collected):
    alone = set(STYLE_NAMES) - set(collected.holders)
    assert "css/components/search.css" in alone
    for style in alone:
        assert weight(text_of(collected, style)) <= 3_000, style


# --- serving -------------------------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path, settings):
    """Respond with one collected file, /static/words.css."""
    settings.STATIC_ROOT = tmp_path
    settings.STATIC_URL = "/static/"
    (tmp_path / "words.css").write_text("p { color: green }")
    middleware = StaticFilesMiddleware(lambda request: HttpResponse("a page"))
    requests = RequestFactory()

    def answer(method: str = "GET", path: str = "/static/words.css", **headers: str):
        return middleware(requests.generic(method, path, headers=headers))

    return answer


def test_file_is_served_with_its_headers(shelf):
    response = shelf()
    assert not response.streaming
    assert response.content == b"p { color: green }"
    assert response.headers["Content-Type"] == 'text/css; charset="utf-8"'
    assert response.headers["Content-Length"] == "18"
    assert "max-age" in response.headers["Cache-Control"]


def test_unmodified_file_returns_304(shelf):
    known = shelf().headers["Last-Modified"]
    response = shelf(**{"If-Modified-Since": known})
    assert (response.status_code, response.content) == (304, b"")
    assert "Content-Type" not in response.headers


def test_head_request_has_no_body(shelf):
    response = shelf("HEAD")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == "18"


def test_range_request_returns_206(shelf):
    response = shelf(Range="bytes=4-8")
    assert (response.status_code, response.content) == (206, b"color")
    assert response.headers["Content-Range"] == "bytes 4-8/18"


def test_serving_a_file_does_not_send_request_finished(shelf):
    ended = []

    def note(**signal: object) -> None:
        ended.append(signal)

    request_finished.connect(note)
    try:
        assert shelf().status_code == 200
    finally:
        request_finished.disconnect(note)
    assert ended == []


def test_unknown_file_is_passed_to_the_views(shelf):
    assert shelf(path="/static/none.css").content == b"a page"


def test_manifest_is_not_served(tmp_path, settings):
    (tmp_path / "staticfiles.json").write_text("{}")
    (tmp_path / "a.css").write_text("a{}")
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = False
    files = StaticFilesMiddleware(lambda request: HttpResponse("from Django")).files
    assert "/static/a.css" in files
    assert "/static/staticfiles.json" not in files


def test_hashed_files_collected_after_the_start_are_served(tmp_path, settings):
    """As during a rolling upgrade, by the processes that have not been replaced yet."""
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    settings.WHITENOISE_AUTOREFRESH = False
    serve = StaticFilesMiddleware(lambda request: HttpResponse("from Django"))
    names = ("js/a.0123456789ab.js", "js/a.0123456789ab.js.gz", "js/b.js", "staticfiles.json")
    for name in (*names, "../c.0123456789ab.js"):
        path = settings.STATIC_ROOT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("new")
    requests = RequestFactory()
    served = {name: serve(requests.get(f"/static/{name}")).content for name in names}
    assert served.pop("js/a.0123456789ab.js") == b"new"
    assert set(served.values()) == {b"from Django"}
    for path in ("/static/../c.0123456789ab.js", "/static/js/none.0123456789ab.js", "/static/js/"):
        assert serve(requests.get(path)).content == b"from Django"


def test_files_have_no_cors_headers(tmp_path, settings):
    (tmp_path / "a.css").write_text("a{}")
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = False
    serve = StaticFilesMiddleware(lambda request: HttpResponse("from Django"))
    answer = serve(RequestFactory().get("/static/a.css"))
    assert answer.content == b"a{}"
    assert "Access-Control-Allow-Origin" not in answer.headers
