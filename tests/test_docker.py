"""The steps of the Dockerfile, run in a plain directory, because there is no engine to build an image.

COPY, ENV, RUN, HEALTHCHECK and CMD are taken from the file. The virtualenv of the tests replaces the one that
the first stage installs from the same requirements, and no account is created.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from chatty.conf.known_settings import SETTINGS
from proof.services import free_port
from tests.services import wait_for_port

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    """Return (name, the rest) of each instruction, with continued lines joined and without comments."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (line.partition(" ")[0], line.partition(" ")[2])
        for line in filter(None, joined.splitlines())
    ]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


class Container:
    """The result of the last stage, in a directory."""

    def __init__(self, home: Path) -> None:
        self.places = {f"/{name}": str(home / name) for name in ("data", "app", "tmp")}
        for place in self.places.values():
            Path(place).mkdir()
        self.app, self.data = home / "app", home / "data"
        self.env = {"HOME": str(home), "LANG": "C.UTF-8"}
        self.command: list[str] = []
        self.health: list[str] = []
        for name, rest in stages()[-1]:
            match name:
                case "ENV":
                    self._set(rest)
                case "COPY":
                    self._copy(*rest.split())
                case "RUN":
                    self._run(rest)
                case "CMD":
                    self.command = json.loads(rest)
                case "HEALTHCHECK":
                    self.health = json.loads(rest.partition(" CMD ")[2])
                case _:
                    assert name in {"FROM", "WORKDIR", "USER", "VOLUME", "EXPOSE"}, name

    def start(self, command: list[str], **changes: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._relocated(word) for word in command],
            cwd=self.app,
            env={**self.env, **changes},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _relocated(self, text: str) -> str:
        places = "|".join(map(re.escape, self.places))
        return re.sub(rf"(?<![\w./])({places})\b", lambda found: self.places[found[1]], text)

    def _set(self, rest: str) -> None:
        for pair in shlex.split(rest):
            variable, _, value = pair.partition("=")
            if variable == "PATH":
                assert value == "/venv/bin:$PATH"
                # The tests' own virtualenv, not one of the image.
                self.env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
                continue
            self.env[variable] = self._relocated(value)

    def _copy(self, *words: str) -> None:
        *sources, target = words
        if sources[0].startswith("--from"):
            return  # the virtualenv
        ignored = shutil.ignore_patterns("__pycache__", "tests")  # as in .dockerignore
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, self.app / target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, self.app / target)

    def _run(self, rest: str) -> None:
        if rest.startswith("useradd"):
            assert "install -d -m 700 -o chatty /data" in rest
            self.data.chmod(0o700)
            return
        process = self.start(["sh", "-c", rest])
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return Container(tmp_path_factory.mktemp("container"))


def test_first_stage_installs_the_requirements():
    output = "\n".join(f"{name} {rest}" for name, rest in stages()[0])
    assert "COPY requirements.txt ." in output
    assert "/venv/bin/pip install --no-cache-dir -r requirements.txt" in output


def test_dockerignore_matches_the_paths_ignored_here():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {"**/__pycache__", "**/tests", ".env", "var"} <= set(ignored)


@pytest.mark.servers
@pytest.mark.long
def test_container_serves_german_pages_and_does_not_log_the_password(container):
    port = free_port()
    # An image can rely on its port, a test cannot.
    changes = {"PORT": str(port), "HOST": "127.0.0.1", "ADMIN_EMAIL": "you@example.org"}
    server = container.start(container.command, **changes)
    try:
        wait_for_port(port, 60)
        page = urllib.request.Request(
            f"http://127.0.0.1:{port}/sign-in/", headers={"Accept-Language": "de"}
        )
        with urllib.request.urlopen(page) as answer:
            assert "Passwort" in answer.read().decode()
        health = [word.replace("8000", str(port)) for word in container.health]
        assert container.start(health).wait(20) == 0
    finally:
        server.terminate()
        output, _ = server.communicate(timeout=40)
    assert server.returncode == 0, output
    first = container.data / "first_password"
    assert first.stat().st_mode & 0o777 == 0o600
    assert len(first.read_text().strip()) == 19
    assert first.read_text().strip() not in output
    assert "you@example.org" in output
    kept = [path for path in container.data.iterdir() if path.stat().st_mode & 0o077]
    assert kept == []


# --- compose ------------------------------------------------------------------------------------------

# Set by the image or the other services.
NOT_PASSED = {"DATA_DIR", "STATIC_ROOT", "HOST", "PORT"}


def test_compose_passes_every_setting():
    chatty = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["chatty"]
    assert set(chatty["environment"]) | NOT_PASSED == set(SETTINGS)
    assert not set(chatty["environment"]) & NOT_PASSED
    own = {name for name, value in chatty["environment"].items() if value is not None}
    assert own == {"PUBLIC_URL", "TRUSTED_PROXIES", "DATABASE_URL", "REDIS_URL"}
