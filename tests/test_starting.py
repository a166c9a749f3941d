"""Whatever keeps Chatty from starting is explained in a sentence, for every command, without secrets."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from chatty.server.uvicorn_server import clear_up, metrics_directory
from proof.services import free_port
from tests.installations import ROOT, Person, eventually
from tests.markers import first_of

pytestmark = pytest.mark.servers

SECRET = "S3CRETWORD"
WAYS = {
    "setup": ["manage.py", "setup"],
    "serve": ["manage.py", "serve"],
    "runserver": ["manage.py", "runserver", "--noreload", "0"],
    "another command": ["manage.py", "new_epoch"],
    "daphne": ["-m", "daphne", "-p", "0", "chatty.asgi:application"],
}


def output_of(installation, way, **changes):
    """Return the output of this command, which must have failed without a traceback."""
    code, output = installation.run(*WAYS[way], **{"PORT": "0", "SECRET_KEY": "", **changes})
    assert code != 0, output
    assert "Traceback" not in output
    assert SECRET not in output
    return output


@pytest.mark.parametrize("way", WAYS)
def test_invalid_setting_is_reported(installation, way):
    output = output_of(installation, way, DATABASE_URL=f"postgres://u:1/{SECRET}@h/d")
    assert "DATABASE_URL must look like" in output


@pytest.mark.parametrize("way", WAYS)
def test_unreachable_database_is_reported(installation, way):
    port = free_port()
    url = f"postgres://u:{SECRET}@127.0.0.1:{port}/d"
    output = output_of(
        installation, way, DATABASE_URL=url, SECRET_KEY=installation.env["SECRET_KEY"]
    )
    assert f"PostgreSQL does not respond at 127.0.0.1:{port}" in output
    assert "Check DATABASE_URL" in output


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"DATABSE_URL": f"postgres://{SECRET}"}, "Did you mean DATABASE_URL?"),
        ({"REDIS_URL": "127.0.0.1:6379"}, "REDIS_URL must look like redis://"),
        ({"REDIS_URL": f"redis:{SECRET}"}, "REDIS_URL must look like redis://"),
        ({"PUBLIC_URL": "chat.example.org"}, "PUBLIC_URL='chat.example.org' must look like"),
        ({"PUBLIC_URL": f"https://u:{SECRET}@h"}, "PUBLIC_URL must look like"),
        ({"EMAIL_URL": f"u:{SECRET}@h"}, "EMAIL_URL must look like"),
        ({"SIGN_UP": "anyone"}, "must be one of: open, invited, approved, closed"),
        ({"DATA_DIR": "/proc/chatty"}, "Can't use /proc/chatty"),
        ({"METRICS_TOKEN_FILE": "/nowhere"}, "Can't read METRICS_TOKEN_FILE=/nowhere"),
        (
            {"DATABASE_URL": f"postgres://u:{SECRET}@nowhere.invalid/d"},
            "Can't find the host 'nowhere.invalid'",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_cause_has_its_own_message(installation, changes, expected):
    assert expected in output_of(installation, "setup", **changes)


def test_server_logs_its_configuration(production_installation):
    server = production_installation.serve()
    output = server.output()
    assert (
        f"Database: PostgreSQL, {production_installation.home.name.replace('-', '_')} at " in output
    )
    assert f"Redis: 127.0.0.1:{production_installation.redis.port}, database 0" in output
    assert "PUBLIC_URL: not set" in output
    assert f"Listening on: 127.0.0.1:{server.port}" in output


def test_non_ascii_host_is_served(installation):
    server = installation.serve(PUBLIC_URL="http://münchen.example")
    for host, status in (("xn--mnchen-3ya.example", 200), ("other.example", 400)):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/sign-in/", headers={"Host": host})
        assert connection.getresponse().status == status
        connection.close()


# --- the database and its files ---------------------------------------------------------------------


def as_ordinary_user():
    """Return a command prefix that makes file permissions apply."""
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("way", first_of("serve", "setup", "another command", "daphne"))
def test_read_only_database_file_is_reported(installation, way):
    path = installation.home / "chatty.db"
    path.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(path, 65534, -1)
    done = subprocess.run(
        [*as_ordinary_user(), sys.executable, *WAYS[way]],
        cwd=ROOT,
        env={**installation.env, "PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"{path} is not writable" in output
    assert "Traceback" not in output
    if os.geteuid() == 0:
        assert "chatty.db is owned by nobody, but Chatty runs as root" in output


@pytest.mark.parametrize(
    "command", first_of("demo", "new_epoch", "accept_secret", "changepassword")
)
def test_commands_before_setup_ask_to_run_it(installation, tmp_path, command):
    arguments = ["a@example.org"] if command == "changepassword" else []
    output = installation.manage(command, *arguments, check=False, DATA_DIR=str(tmp_path))
    assert "Run this first: python manage.py setup" in output
    assert "Traceback" not in output


def test_file_that_is_not_a_database_is_reported(installation):
    (installation.home / "chatty.db").write_bytes(b"no database" * 1000)
    assert "is not an SQLite database" in installation.manage("serve", check=False, PORT="0")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://nobody@/{name}?host={host}", "has no user 'nobody'"),
        ("postgres://postgres@/nothing?host={host}", "has no database 'nothing'"),
        (
            "postgres://postgres@/{name}?host={host}&default_transaction_read_only=on",
            "DATABASE_URL",
        ),
        (
            "postgres://postgres@/{name}?host={host}&options=-c%20default_transaction_read_only%3Don",
            "is read-only",
        ),
    ],
)
def test_postgresql_errors_are_explained(production_installation, url, expected):
    given = urlsplit(production_installation.env["DATABASE_URL"])
    host = given.query.removeprefix("host=")
    changed = url.format(name=given.path[1:], host=host)
    for command in ("serve", "setup"):
        output = production_installation.manage(
            command, check=False, DATABASE_URL=changed, PORT="0"
        )
        if command == "serve" or "read-only" not in expected:
            assert expected in output
        assert "Traceback" not in output


def test_wrong_postgresql_password_is_reported(own_installation):
    given = urlsplit(own_installation.env["DATABASE_URL"])
    with psycopg.connect(own_installation.postgres.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        found = connection.execute("SHOW hba_file").fetchone()
        assert found is not None
        rules = Path(found[0])
        rules.write_text("local all locked scram-sha-256\n" + rules.read_text())
        connection.execute("SELECT pg_reload_conf()")
    changed = given._replace(netloc="locked:not-this-one@").geturl()
    for command in ("serve", "setup"):
        output = own_installation.manage(command, check=False, DATABASE_URL=changed, PORT="0")
        assert "does not accept the password of 'locked'" in output
        assert "not-this-one" not in output
        assert "Traceback" not in output


@pytest.mark.long
def test_changed_secret_key_is_rejected_with_the_command_to_accept_it(installation):
    other = "another-key-0123456789-abcdefghijklmnopqrstuvwxyz-ABC"
    for command in ("serve", "setup"):
        output = installation.manage(command, check=False, PORT="0", SECRET_KEY=other)
        assert "python manage.py accept_secret" in output
    installation.manage("accept_secret", SECRET_KEY=other)
    server = installation.serve(SECRET_KEY=other)
    server.terminate()
    former = installation.env["SECRET_KEY"]
    assert "accept_secret" in installation.manage("serve", check=False, PORT="0")
    installation.serve(SECRET_KEY=former, SECRET_KEY_FALLBACKS=other)


@pytest.mark.long
def test_message_sent_again_is_recognised_after_replacing_the_secret_key(installation):
    former, new = (
        installation.env["SECRET_KEY"],
        "another-key-0123456789-abcdefghijklmnopqrstuvwxyz-ABC",
    )
    message = {"key": "k", "body": "Biscuits?"}
    server = installation.serve()
    alice = Person(server, "Alice").sign_in()
    room = alice.call("POST", "/api/conversations/", {"name": "Tea"})[1]["id"]
    path = f"/api/conversations/{room}/messages/"
    status, sent = alice.call("POST", path, message)
    assert status == 201
    server.terminate()
    # Both keys are accepted before and after they are exchanged, and no one has to sign in again.
    for keys in ((former, new), (new, former), (former, new), (new, former)):
        secrets = dict(zip(("SECRET_KEY", "SECRET_KEY_FALLBACKS"), keys, strict=True))
        server = installation.serve(**secrets)
        again = Person(server, "Alice", alice.token)
        assert again.call("POST", path, message) == (200, sent)
        assert again.call("POST", path, {**message, "body": "Tea?"})[0] == 409
        server.terminate()


def record_migration(installation, name):
    script = (
        "from django.db import connection\n"
        "from django.db.migrations.recorder import MigrationRecorder\n"
        f"MigrationRecorder(connection).record_applied('conversations', '{name}')"
    )
    installation.manage("shell", "-c", script)


@pytest.mark.long
def test_code_older_than_the_database_is_rejected(installation):
    record_migration(installation, "9999_from_the_future")
    for way in ("serve", "setup", "daphne"):
        output = output_of(installation, way, SECRET_KEY=installation.env["SECRET_KEY"])
        assert "newer version of Chatty" in output


def test_setup_does_not_migrate_a_served_sqlite_database(installation):
    server = installation.serve()
    assert installation.manage("setup") == ""  # nothing to do
    with contextlib.closing(sqlite3.connect(installation.home / "chatty.db")) as database:
        newest = "SELECT max(id) FROM django_migrations WHERE app = 'conversations'"
        database.execute(f"DELETE FROM django_migrations WHERE id = ({newest})")
        database.commit()
    output = installation.manage("setup", check=False)
    assert (
        f"server is using {installation.home / 'chatty.db'} (process {server.process.pid})"
        in output
    )
    assert "Traceback" not in output


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_concurrent_setups_run_once(kind, builder, tmp_path):
    empty = builder.not_set_up(tmp_path, SECRET_KEY="")
    if kind == "postgres":
        with contextlib.closing(builder.production()) as grown:
            url = grown.postgres.create(f"twice_{os.getpid()}", "template1")
            empty.env["DATABASE_URL"] = url
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda _: empty.run("manage.py", "setup"), range(3)))
    output = [written for _code, written in ended]
    assert [code for code, _written in ended] == [0, 0, 0], output
    assert sum("Preparing the database" in each for each in output) == 1
    assert sum("Password: " in each for each in output) == 1
    assert [path.name for path in tmp_path.glob(".secret*")] == []


# --- a disk that fills up ---------------------------------------------------------------------------


def test_full_disk_is_reported_in_log_readyz_and_error_frames(installation, person):
    server = installation.serve()
    alice = person(server, "Alice")
    status, made = alice.call("POST", "/api/conversations/", {"name": "Tea", "members": []})
    assert status == 201, made
    with alice.socket() as line:
        line.recv(timeout=10)
        # The process cannot let files grow any further: like a full disk, but reversible.
        log = (installation.home / "chatty.db-wal").stat().st_size
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (log, limits[1]))
        frame = {"type": "send", "conversation": made["id"], "key": "k", "body": "x" * 3000}

        def answer():
            line.send(json.dumps(frame))
            while (heard := json.loads(line.recv(timeout=20)))["type"] not in {"sent", "error"}:
                pass
            return heard

        refused = answer()
        assert refused["code"] == "unavailable", refused
        assert "disk is full or read-only" in refused["detail"]
        assert ready(server) == (503, "unwritable")
        assert "The database cannot be written: The disk" in server.output()
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
        eventually(lambda: ready(server) == (200, "ok"))
        assert answer()["type"] == "sent"


def ready(server):
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    line.request("GET", "/readyz")
    answer = line.getresponse()
    told = json.loads(answer.read())["database"]
    line.close()
    return answer.status, told


# --- files ------------------------------------------------------------------------------------------


def others_may_use(directory):
    """Return the paths in and including `directory` that other users can read, write or enter."""
    return [path for path in (directory, *directory.rglob("*")) if path.stat().st_mode & 0o077]


@pytest.mark.long
def test_data_is_private_from_the_first_start(installation, tmp_path):
    data, static = tmp_path / "data", tmp_path / "static"
    env = {"DATA_DIR": str(data), "STATIC_ROOT": str(static), "SECRET_KEY": ""}
    installation.manage("setup", **env)
    installation.serve(**env)
    names = {path.name for path in data.iterdir()}
    assert names >= {"chatty.db", "chatty.db-wal", "chatty.db-shm", "chatty.db.lock", "secret_key"}
    assert others_may_use(data) == []
    # A proxy can serve these.
    unreadable = [
        path
        for path in (static, *static.rglob("*"))
        if not path.stat().st_mode & (0o005 if path.is_dir() else 0o004)
    ]
    assert unreadable == []


@pytest.mark.parametrize("kind", first_of("serve", "daphne"))
def test_permissions_of_readable_data_are_tightened(installation, kind):
    installation.home.chmod(0o755)
    (installation.home / "chatty.db").chmod(0o644)
    server = installation.serve(kind=kind)
    output = server.output()
    assert (
        f"Other users could access {installation.home} (mode 755). Changed the mode to 700"
        in output
    )
    assert (
        f"Other users could access {installation.home / 'chatty.db'} (mode 644). Changed the mode to 600"
        in output
    )
    assert [path.name for path in others_may_use(installation.home) if path != server.log] == []


# --- several workers --------------------------------------------------------------------------------


@pytest.mark.long
def test_ready_is_logged_when_every_worker_serves(production_installation):
    server = production_installation.serve("--workers", "3")
    eventually(lambda: "Chatty is ready" in server.output(), seconds=60)
    # Each worker writes its own metrics as soon as it serves; file names contain the process id.
    numbers = production_installation.home / "metrics" / str(server.process.pid)
    serving = {path.stem.rpartition("_")[2] for path in numbers.glob("*.db")}
    assert len(serving) == 3
    server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(30) == 0
    assert [path.name for path in (production_installation.home / "metrics").iterdir()] == ["lock"]


def test_metrics_of_killed_workers_are_removed_at_the_next_start(tmp_path):
    base = tmp_path / "metrics"
    dead = base / "1"
    dead.mkdir(parents=True)
    (dead / "gauge.db").write_bytes(b"x")
    with metrics_directory(base) as own:
        assert own.is_dir()
        assert not dead.exists()
        left = base / "2"
        left.mkdir()
        with (left / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            clear_up(base)
            assert left.exists()  # belongs to a running process
        clear_up(base)
        assert own.exists()
        assert not left.exists()
    assert [path.name for path in base.iterdir()] == ["lock"]
