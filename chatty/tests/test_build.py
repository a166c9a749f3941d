"""The build id: the same wherever the same code is served, another one after any change of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.test import Client

from chatty.assets import build

pytestmark = pytest.mark.once


def computed() -> str:
    return build.build_id.__wrapped__()


def test_another_process_has_the_same_id():
    script = (
        "import django; django.setup(); from chatty.assets import build; print(build.build_id())"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONHASHSEED": "1"}
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == build.build_id()
    assert re.fullmatch(r"[0-9a-f]{16}", build.build_id())


def test_id_changes_with_the_version_the_import_map_and_what_is_registered(monkeypatch):
    known = {computed()}
    for name, value in [
        ("__version__", "9.9"),
        ("import_map", lambda: {"chatty/main.js": "/static/js/main.123.js"}),
        ("_parts", [lambda: ["/templates/en/1.js"]]),
        ("_parts", [lambda: ["/templates/en/2.js"]]),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(build, name, value)
            known.add(computed())
    assert len(known) == 5


def test_there_is_an_id_before_static_files_are_collected(monkeypatch):
    def fail():
        raise ValueError("Missing staticfiles manifest entry for 'js/main.js'")

    monkeypatch.setattr(build, "import_map", fail)
    assert re.fullmatch(r"[0-9a-f]{16}", computed())


def test_script_templates_of_every_language_are_registered():
    languages = {url.split("/")[-2] for part in build._parts for url in part()}
    assert languages == {code for code, _name in settings.LANGUAGES}


def test_id_changes_with_a_file_in_development(monkeypatch, tmp_path):
    """URLs have no hash there."""

    class Finder:
        def list(self, ignored):
            yield "css/a.css", FileSystemStorage(location=tmp_path)

    monkeypatch.setattr(build, "get_finders", lambda: [Finder()])
    (tmp_path / "css").mkdir()
    (tmp_path / "css/a.css").write_text("a {}")
    before = computed()
    assert computed() == before
    (tmp_path / "css/a.css").write_text("b {}")
    assert computed() != before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [("/sign-in/", 200), ("/", 302), ("/none/", 404), ("/api/me/", 401), ("/api/none/", 404)],
)
def test_every_response_names_the_build(path, status):
    response = Client().get(path)
    assert response.status_code == status
    assert response.headers["Chatty-Build"] == build.build_id()
