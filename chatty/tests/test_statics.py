"""Files are served whole; scripts without what only people read, and otherwise as they are."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files import File
from django.core.signals import request_finished
from django.http import HttpResponse
from django.test import RequestFactory

from chatty.statics import SqueezedManifestStorage, StaticFilesMiddleware, squeeze

SCRIPTS = Path(settings.BASE_DIR) / "static" / "js"
MODULES = sorted(SCRIPTS.rglob("*.js"))
KIB = 1024


def test_comments_blank_lines_and_indentation_go_and_code_stays() -> None:
    script = """// About this module.

/** One line. */
export function f(a) {
  /*
   * Several
   */
  // Why.
  const url = "https://example.org//x"; // behind what may hold the same in a text
  let count = 0; // behind code

  return a /* here */ + url;
}
"""
    assert squeeze(script) == (
        "export function f(a) {\n"
        'const url = "https://example.org//x"; // behind what may hold the same in a text\n'
        "let count = 0;\n"
        "return a /* here */ + url;\n"
        "}\n"
    )


def test_what_is_served_under_a_hashed_name_is_the_squeezed_module(tmp_path) -> None:
    storage = SqueezedManifestStorage(location=str(tmp_path), base_url="/static/")
    with (settings.BASE_DIR / "static" / "js" / "lib" / "emitter.js").open("rb") as module:
        storage.save("js/lib/emitter.js", File(module))
    for _ in storage.post_process({"js/lib/emitter.js": (storage, "js/lib/emitter.js")}):
        pass
    served = (tmp_path / storage.stored_name("js/lib/emitter.js")).read_text()
    assert served.startswith("export class Emitter {\n#listeners")


def test_squeezing_twice_is_squeezing_once() -> None:
    for module in MODULES:
        once = squeeze(module.read_text())
        assert squeeze(once) == once


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_template_literal_spans_lines(module) -> None:
    for line in module.read_text().splitlines():
        if not line.strip().startswith(("//", "*", "/*")):
            assert line.count("`") % 2 == 0, line


def loaded_with(module: Path) -> set[Path]:
    """A module and what it imports by name, and so on; what is import()ed comes later, if at all."""
    names = re.findall(r' from "chatty/([^"]+)";', module.read_text())
    return {module}.union(*(loaded_with(SCRIPTS / name) for name in names))


def weight(modules: Iterable[Path]) -> int:
    together = "".join(squeeze(module.read_text()) for module in sorted(modules))
    return len(gzip.compress(together.encode(), 9))


def test_what_a_page_loads_at_once_stays_small() -> None:
    at_once = loaded_with(SCRIPTS / "main.js")
    assert SCRIPTS / "views" / "timeline.js" in at_once
    assert SCRIPTS / "views" / "notifier.js" not in at_once
    assert weight(at_once) <= 25_000


def test_what_is_loaded_later_comes_in_small_pieces() -> None:
    at_once = loaded_with(SCRIPTS / "main.js")
    for module in set(MODULES) - at_once:
        assert weight(loaded_with(module) - at_once) <= 4 * KIB, module


@pytest.fixture
def shelf(tmp_path, settings):
    """Answers for one collected file, /static/words.<hash>.css."""
    settings.STATIC_ROOT = tmp_path
    settings.STATIC_URL = "/static/"
    (tmp_path / "words.css").write_text("p { color: green }")
    middleware = StaticFilesMiddleware(lambda request: HttpResponse("a page"))
    requests = RequestFactory()

    def answer(method: str = "GET", path: str = "/static/words.css", **headers: str):
        return middleware(requests.generic(method, path, headers=headers))

    return answer


def test_a_file_is_served_whole_with_its_headers(shelf):
    response = shelf()
    assert not response.streaming
    assert response.content == b"p { color: green }"
    assert response.headers["Content-Type"] == 'text/css; charset="utf-8"'
    assert response.headers["Content-Length"] == "18"
    assert "max-age" in response.headers["Cache-Control"]


def test_a_file_the_browser_has_is_not_sent_again(shelf):
    known = shelf().headers["Last-Modified"]
    response = shelf(**{"If-Modified-Since": known})
    assert (response.status_code, response.content) == (304, b"")
    assert "Content-Type" not in response.headers


def test_only_the_head_of_a_file_is_sent_to_who_asks_for_it(shelf):
    response = shelf("HEAD")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == "18"


def test_a_part_of_a_file_is_served_to_who_asks_for_it(shelf):
    response = shelf(Range="bytes=4-8")
    assert (response.status_code, response.content) == (206, b"color")
    assert response.headers["Content-Range"] == "bytes 4-8/18"


def test_serving_a_file_does_not_say_that_the_request_has_ended(shelf):
    ended = []

    def note(**signal: object) -> None:
        ended.append(signal)

    request_finished.connect(note)
    try:
        assert shelf().status_code == 200
    finally:
        request_finished.disconnect(note)
    assert ended == []


def test_whatever_is_no_file_goes_on_to_the_pages(shelf):
    assert shelf(path="/static/none.css").content == b"a page"
