"""The clients of docs/generated-clients.md are generated from a server and used with it. The description they
come from is checked a second time.

They need `npm ci` in tests/clients, as `make test-long` does it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cast import PASSWORD
from tests.sockets import new_member

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = ROOT / "tests/clients"
TOOLS = CLIENTS / "node_modules"
TSCONFIG = {
    "strict": True,
    "noEmit": True,
    "module": "nodenext",
    "target": "es2024",
    "allowImportingTsExtensions": True,
    "types": ["node"],
}
PROGRAMS = {
    "Python": [sys.executable, "talk.py"],
    "TypeScript with openapi-fetch": ["node", "fetch.ts"],
    "TypeScript with Hey API": ["node", "hey.ts"],
}

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.xdist_group("generated_clients")]


@pytest.fixture(scope="module")
def place(builder):
    with contextlib.closing(builder.sqlite()) as installation:
        yield installation.serve()


@pytest.fixture(scope="module", autouse=True)
def _tools():
    assert TOOLS.exists(), "Run `npm ci` in tests/clients."


def run(command: list[str], directory: Path, **more: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [shutil.which(command[0], path=path) or command[0], *command[1:]],
        cwd=directory,
        env={**os.environ, "PATH": path, "no_proxy": "*", "NO_PROXY": "*", **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def section(heading: str) -> str:
    text = (ROOT / "docs/generated-clients.md").read_text()
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def write_files(heading: str, directory: Path) -> list[str]:
    """Write the files of a section; return its commands. A file has its name in a comment, or is talk.py."""
    commands = []
    for language, block in re.findall(
        r"^```(\w+)\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL
    ):
        if language == "sh":
            commands += block.splitlines()
            continue
        named = re.match(r"(?://|#) (\S+\.\w+)\n", block)
        (directory / (named[1] if named else "talk.py")).write_text(block)
    return commands


@pytest.fixture
def generated(request, place, tmp_path) -> Path:
    """A directory with a client and its program."""
    (tmp_path / "node_modules").symlink_to(TOOLS)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for command in write_files(request.param, tmp_path):
        local = command.replace("npx @hey-api/", "").replace("npx ", "")
        tool = local.split()[0]
        found = TOOLS / ".bin" / tool
        run(["sh", "-c", local.replace(tool, str(found) if found.exists() else tool, 1)],
            tmp_path, CHATTY=place.url)  # fmt: skip
    return tmp_path


@pytest.mark.parametrize(
    ("generated", "command"), PROGRAMS.items(), ids=PROGRAMS, indirect=["generated"]
)
def test_generated_client_talks_and_is_not_broken_by_a_new_kind_of_message(
    generated, command, place
):
    person = new_member(place)
    account = {"CHATTY": place.url, "EMAIL": person.email, "PASSWORD": PASSWORD}
    printed = (
        run(command, generated, **account).replace("'", "").replace("[ ", "[").replace(" ]", "]")
    )
    assert printed.splitlines() == [
        f"created {person.name} created this conversation. [] []",
        "text Message 0 [] []",
        "text Message 1 [] []",
        "text Message 2 [] [👍]",
        "text  [seeds.txt] []",
        "read up to 5",
    ]
    room = person.create_conversation()
    person.ask("PATCH", f"/api/conversations/{room}/", {"topic": "Leaves"})
    with contextlib.closing(sqlite3.connect(place.installation.home / "chatty.db")) as database:
        changed = database.execute(
            "UPDATE conversations_message SET kind = 'polled' WHERE conversation_id = ? AND kind = 'topic'",
            (room,),
        )
        assert changed.rowcount == 1
        database.commit()
    printed = run(command, generated, ROOM=str(room), **account)
    assert re.search("^polled .*$", printed, re.MULTILINE)
    assert printed.splitlines()[-1] == "read up to 6"


@pytest.mark.parametrize(
    ("generated", "program"),
    [(heading, command[1]) for heading, command in PROGRAMS.items() if command[0] == "node"],
    indirect=["generated"],
)
def test_types_of_generated_clients_fit(generated, program):
    config = {"compilerOptions": TSCONFIG, "files": [program]}
    (generated / "tsconfig.json").write_text(json.dumps(config))
    run([str(TOOLS / ".bin/tsc"), "--project", "."], generated)
