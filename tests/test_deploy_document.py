"""docs/deploy.md is followed literally: its own blocks of commands are run as they are written.

Some things are replaced: no packages are installed, no accounts are created, systemctl is tests/systemctl.py,
sudo changes only the PostgreSQL user, and paths are in a directory of the test. nginx, PostgreSQL, Redis, the
proxy's site, the units and every command of Chatty are real.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.services import free_port
from tests.cast import PASSWORD
from tests.installations import eventually
from tests.proxies import Proxy, path_of
from tests.services import Postgres, Redis, wait_for_port
from tests.sockets import new_key
from tests.test_rolling_restart import Traffic, Visitor, stored_words

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs/deploy.md").read_text()
pytestmark = pytest.mark.servers

# sudo and install work except for the accounts; the others do nothing, or use what is here.
_STAND_INS = {
    "apt-get": "exit 0",
    "useradd": "exit 0",
    "sudo": 'shift; export PGUSER="$1"; shift; exec "$@"',
    "install": 'set -- $(printf "%s\\n" "$@" | sed -E "/^-[og]$/,+1d"); exec /usr/bin/install "$@"',
    "systemctl": 'exec {python} {root}/tests/systemctl.py "$@"',
    "python3": '[ "$1 $2" = "-m venv" ] && exec ln -s {prefix} "$3"; exec {python} "$@"',
    "git": 'case "$1" in clone) mkdir -p "$3"; cd {root}; '
    "/usr/bin/env -u GIT_DIR {git} ls-files -co --exclude-standard -z"
    ' | xargs -0 cp --parents -t "$3" ;; esac',
}
# The state of the search index: it is not exported, but written again.
_INDEX = "search.indexstate"
# Links to confirm an address are made when their email is sent, which can be after the move.
_WHEN_SENT = "accounts.addressconfirmation"
_NOT_THE_SAME = {"conversations.instance", "sessions.session", "admin.logentry", _INDEX, _WHEN_SENT}


def section(title: str) -> str:
    return DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(title: str, language: str = "sh") -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)
    assert found, (title, language)
    return list(found)


class Host:
    """A machine on which the document is followed."""

    def __init__(self, home: Path, postgres: Postgres, redis: Redis) -> None:
        self.home = home
        self.ports = [free_port(), free_port()]
        self.site = Proxy("nginx", home / "nginx", self.ports)
        (home / "units").mkdir()
        (home / "var/backups").mkdir(parents=True)
        (home / "var/lib").mkdir()
        socket_directory = postgres.url.rpartition("host=")[2]
        self.paths = {
            "/opt/chatty": f"{home}/opt/chatty",
            "/var/lib/chatty": f"{home}/var/lib/chatty",
            "/var/backups/chatty": f"{home}/var/backups/chatty",
        }
        self.changes = {
            **self.paths,
            "/etc/systemd/system": f"{home}/units",
            "/var/run/postgresql": socket_directory,
            "https://chat.example.org": self.site.url,
            "127.0.0.1:6379": f"127.0.0.1:{redis.port}",
            "8000": str(self.ports[0]),
            "8001": str(self.ports[1]),
        }
        tools = home / "tools"
        tools.mkdir()
        fill = {
            "{python}": sys.executable,
            "{prefix}": sys.prefix,
            "{root}": str(ROOT),
            "{git}": str(shutil.which("git")),
        }
        for name, script in _STAND_INS.items():
            for old, new in fill.items():
                script = script.replace(old, new)
            (tools / name).write_text(f"#!/bin/bash\n{script}\n")
            (tools / name).chmod(0o755)
        self.env = {
            "PATH": f"{tools}:{postgres.programs}:/usr/sbin:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PGHOST": socket_directory,
            "PIP_NO_INDEX": "1",
            "PORT": str(self.ports[0]),
            "CHATTY_TEST_UNITS": f"{home}/units",
            "CHATTY_TEST_PATHS": ";".join(f"{old}={new}" for old, new in self.paths.items()),
            **dict.fromkeys(("LIMIT_SIGN_IN", "LIMIT_SIGN_IN_ADDRESS", "LIMIT_SIGN_UP"), "9999/m"),
            "LIMIT_REQUESTS": "100000/s",
            "LIMIT_FRAMES": "100000/s",
        }

    def run(self, *scripts: str) -> str:
        """Run blocks of the document, each in its own shell; return the output."""
        output = ""
        for script in scripts:
            for old, new in self.changes.items():
                script = script.replace(old, new)
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", f"umask 022\n{script}"],
                env=self.env,
                cwd=self.home,
                capture_output=True,
                text=True,
                timeout=180,
            )
            assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}\n{self.output()}"
            output += done.stdout
        return output

    def configure(self, text: str) -> None:
        """Append a block of settings to .env."""
        for old, new in self.changes.items():
            text = text.replace(old, new)
        with (self.home / "opt/chatty/.env").open("a") as file:
            file.write(text)

    def manage(self, *arguments: str) -> str:
        quoted = " ".join(f"'{argument}'" for argument in arguments)
        return self.run(f"cd /opt/chatty\nsudo -u chatty .venv/bin/python manage.py {quoted}")

    def listens(self, *ports: int) -> None:
        for port in ports or self.ports[:1]:
            try:
                wait_for_port(port, 30)
            except TimeoutError:
                raise AssertionError(self.output()) from None

    def output(self) -> str:
        return "\n".join(path.read_text() for path in self.home.glob("units/run/*.log"))

    def rows(self) -> dict[tuple[str, str], Any]:
        """Return every row of the database by model and key."""
        dumped = self.manage("dumpdata", "--exclude=contenttypes", "--exclude=auth.permission")
        rows = json.loads(dumped)
        return {
            # The mail server of the document does not exist, so what waits for it is tried again.
            (row["model"], str(row["pk"])): {}
            if row["model"].startswith("jobs.")
            else row["fields"]
            for row in rows
            if row["model"] not in _NOT_THE_SAME
        }

    def close(self) -> None:
        self.site.stop()
        with contextlib.suppress(AssertionError):
            self.run("systemctl stop 'chatty*'")


@pytest.fixture
def host() -> Iterator[Host]:
    if path_of("nginx") is None:
        pytest.skip("nginx is not installed: apt-get install nginx")
    home = Path(tempfile.mkdtemp(prefix="chatty-host-"))
    home.chmod(0o755)  # so that only Chatty's own permissions keep others out
    with Postgres() as postgres, Redis() as redis:
        made = Host(home, postgres, redis)
        try:
            yield made
        finally:
            made.close()
            shutil.rmtree(home, ignore_errors=True)


def nobody_reads(*directories: Path) -> None:
    """Assert that other accounts can read nothing in these directories."""
    for directory in directories:
        assert directory.stat().st_mode & 0o077 == 0, directory
        if os.geteuid() == 0:
            found = subprocess.run(
                ["find", directory, "-mindepth", "1"], user=65534, group=65534, extra_groups=[],
                capture_output=True, text=True,
            )  # fmt: skip
            assert (found.stdout, "Permission denied" in found.stderr) == ("", True)


def talk(site: Proxy) -> int:
    """Two people, a conversation, messages and a reaction; return the conversation's id."""
    stranger = Visitor.__new__(Visitor)
    stranger.site, stranger.connection, stranger.token = site, site.connection(), ""
    for name in ("Alice", "Bob"):
        about = {"email": f"{name.lower()}@example.org", "password": PASSWORD, "name": name}
        assert stranger.call("POST", "/api/register/", about)[0] == 201
    alice, bob = Visitor(site, "alice"), Visitor(site, "bob")
    members = [bob.call("GET", "/api/me/")[1]["id"]]
    room = int(
        alice.call("POST", "/api/conversations/", {"name": "Tea", "members": members})[1]["id"]
    )
    for number in range(5):
        say(alice, room, f"**Tea** at {number} with 🍪")
    _status, page = bob.call("GET", f"/api/conversations/{room}/messages/")
    message = page["messages"][-1]["id"]
    assert bob.call("PUT", f"/api/messages/{message}/reactions/%F0%9F%8D%AA/")[0] < 300
    return room


def say(someone: Visitor, room: int, body: str) -> None:
    path = f"/api/conversations/{room}/messages/"
    assert someone.call("POST", path, {"key": new_key(), "body": body})[0] == 201


def install_and_restore(host: Host) -> int:
    """Follow the document on one machine, including a backup and a restore; return a conversation's id."""
    data, backups = host.home / "var/lib/chatty", host.home / "var/backups/chatty"

    # One machine, on SQLite.
    install, start = blocks("One machine")
    host.run(install)
    host.configure(blocks("One machine", "env")[0])
    output = host.run(start)
    assert "you@example.org" in output
    assert re.search(r"Password: +\S{19}", output)
    host.listens()
    host.site.start()
    room = talk(host.site)
    nobody_reads(data)

    # Two backups on one day, and a restore.
    (backup,) = blocks("Backups")
    host.run(backup, backup)
    assert len(list(backups.glob("*.db"))) == 2
    assert {path.stat().st_mode & 0o777 for path in backups.iterdir()} == {0o600}
    nobody_reads(backups)
    alice = Visitor(host.site, "alice")
    say(alice, room, "said after the backup")
    on_sqlite, _on_postgres = blocks("Restoring")
    host.run(on_sqlite)
    host.listens()
    alice = Visitor(host.site, "alice")
    assert len(stored_words(alice, room)) == 5
    return room


@pytest.mark.long
def test_install_move_to_postgresql_upgrade_and_go_back(host):
    data, backups = host.home / "var/lib/chatty", host.home / "var/backups/chatty"
    (backup,) = blocks("Backups")
    _on_sqlite, on_postgres = blocks("Restoring")
    room = install_and_restore(host)

    # Move to PostgreSQL and Redis, with all data.
    before = host.rows()
    create, each = blocks("Several workers")
    host.run(create)
    dump, load = blocks("From SQLite to PostgreSQL")
    host.run(dump)
    assert (data / "move.jsonl").stat().st_mode & 0o077 == 0
    host.configure(blocks("Several workers", "env")[0])
    host.run(load)
    host.listens()
    after = host.rows()
    assert {kind for kind, _key in before} >= {"accounts.user", "conversations.message"}
    assert after == before
    alice = Visitor(host.site, "alice")
    say(alice, room, "the first on PostgreSQL")  # fails if a sequence was not set
    assert alice.call("POST", "/api/conversations/", {"name": "Coffee"})[0] == 201

    # Two processes that restart in turn, under traffic.
    host.run(each)
    host.listens(*host.ports)
    with Traffic(host.site, room) as traffic:
        host.run(*blocks("Stopping and restarting"))
    assert traffic.failures == []
    assert traffic.refused() == []
    alice = Visitor(host.site, "alice")
    assert traffic.sent <= stored_words(alice, room)

    # A backup of PostgreSQL, an upgrade, and back to the previous version and backup.
    host.run(backup)
    nobody_reads(backups)
    words = stored_words(alice, room)
    (upgrade,) = blocks("Upgrading")
    host.run(upgrade)
    host.listens()
    alice = Visitor(host.site, "alice")
    say(alice, room, "said after the upgrade")
    (former,) = blocks("Rolling back")
    host.run("systemctl stop 'chatty*'", former, on_postgres)
    host.listens(*host.ports)
    eventually(lambda: Visitor(host.site, "alice").token)
    assert stored_words(Visitor(host.site, "alice"), room) == words
    assert "Chatty 0." in host.manage("version")
    assert " ERROR " not in host.output()
