"""Static files are served from memory; scripts come in few files, without comments."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.core.signals import request_finished
from django.http import HttpResponse
from django.test import RequestFactory

from chatty.assets import static_files
from chatty.assets.static_files import (
    APP_STYLE_PARTS,
    LATER,
    BundlingManifestStorage,
    StaticFilesMiddleware,
)

pytestmark = pytest.mark.once

SCRIPTS = Path(settings.BASE_DIR) / "static" / "js"
MODULES = sorted(SCRIPTS.rglob("*.js"))


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> BundlingManifestStorage:
    """Our own files, as `collectstatic` leaves them."""
    storage = BundlingManifestStorage(
        location=str(tmp_path_factory.mktemp("collected")), base_url="/static/"
    )
    source = FileSystemStorage(location=settings.BASE_DIR / "static")
    names = [f"js/{module.relative_to(SCRIPTS)}" for module in MODULES]
    paths = dict.fromkeys([*names, *APP_STYLE_PARTS], source)
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
    picture = (SCRIPTS / "views" / "avatar_preview.js").read_text()
    served = text_of(collected, "js/views/avatar_preview.js")
    assert "// " in picture
    assert "// " not in served
    assert len(served) < len(picture) * 0.8


def test_modules_are_served_in_bundles(collected):
    """Every module of a bundle has the URL of the bundle, in this process and in a new one."""
    again = BundlingManifestStorage(location=collected.location, base_url="/static/")
    for module, bundle in [
        ("chat/store", "first"),
        ("views/message_actions", "later"),
        ("lib/match", "later"),
    ]:
        name = again.stored_name(f"js/{module}.js")
        assert re.fullmatch(rf"js/{bundle}\.[0-9a-f]+\.js", name)
        assert again.exists(name)
        assert again.exists(f"{name}.gz")
    for module in ("main", "offline", "signed_out", "views/notifier"):
        assert again.stored_name(f"js/{module}.js").startswith(f"js/{module}.")


def test_import_map_has_every_name_that_served_modules_import(collected, monkeypatch):
    monkeypatch.setattr(static_files, "static", collected.url)
    known = static_files.import_map().keys() | {"chatty/templates.js"}
    served = {name for name in collected.hashed_files.values() if name.endswith(".js")}
    text = "\n".join(Path(collected.path(name)).read_text() for name in served)
    views = re.findall(r'(?:view|startBuffered)\(\s*"(\w+)"', text)
    imported = set(re.findall(r'"(chatty/[\w/]+\.js)"', text))
    assert len(views) > 20
    assert "chatty/first.js" in imported
    assert imported | {f"chatty/views/{view}.js" for view in views} <= known
    assert len(known) < len(MODULES) - 15  # not what is in bundles, because it is part of each page


def test_style_sheets_of_signed_in_pages_are_served_as_one_file(collected):
    urls = {collected.stored_name(name) for name in APP_STYLE_PARTS}
    (name,) = urls
    served = Path(collected.path(name)).read_text()
    source = Path(settings.BASE_DIR) / "static"
    parts = [(source / part).read_text() for part in APP_STYLE_PARTS]
    assert served == "\n".join(parts)


def test_collecting_twice_is_idempotent(collected):
    before = dict(collected.hashed_files)
    source = FileSystemStorage(location=settings.BASE_DIR / "static")
    paths = {f"js/{module.relative_to(SCRIPTS)}" for module in MODULES} | {*APP_STYLE_PARTS}
    list(collected.post_process({name: (source, name) for name in paths}))
    assert collected.hashed_files == before


def _at_once(collected):
    names = {
        collected.stored_name(f"js/{name}.js") for name in ("main", "chat/chat", "views/timeline")
    }
    assert len(names) == 2
    return [Path(collected.path(name)).read_text() for name in names]


def test_initial_scripts_stay_small(collected):
    assert weight(*_at_once(collected)) <= 30_000


def test_scripts_loaded_when_idle_stay_small(collected):
    idle = [
        "views/notifier",
        "views/system_notifications",
        "views/notification_sound",
    ]  # for users who want notifications
    later = [text_of(collected, name) for name in [LATER, *(f"js/{name}.js" for name in idle)]]
    assert weight(*_at_once(collected), *later) <= 45_000


def test_scripts_loaded_on_demand_stay_small(collected):
    alone = {f"js/{module.relative_to(SCRIPTS)}" for module in MODULES} - set(collected.holders)
    assert "js/views/notifier.js" in alone
    for module in alone:
        assert weight(text_of(collected, module)) <= 10_000, module


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


def test_files_have_no_cors_headers(tmp_path, settings):
    (tmp_path / "a.css").write_text("a{}")
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = False
    serve = StaticFilesMiddleware(lambda request: HttpResponse("from Django"))
    answer = serve(RequestFactory().get("/static/a.css"))
    assert answer.content == b"a{}"
    assert "Access-Control-Allow-Origin" not in answer.headers
