"""Chatty behind a real PgBouncer in transaction mode. Debian: apt install pgbouncer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from proof.services import free_port
from tests.installations import eventually
from tests.services import wait_for_port

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        not shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"),
        reason="needs pgbouncer (apt install pgbouncer)",
    ),
]


@pytest.fixture
def pooled_url(production_installation, tmp_path_factory):
    """The URL of the database through PgBouncer with two connections, which ignores `options`."""
    given = urlsplit(production_installation.env["DATABASE_URL"])
    name, directory = given.path[1:], given.query.removeprefix("host=")
    port = free_port()
    home = tmp_path_factory.mktemp("pgbouncer")
    config = home / "pgbouncer.ini"
    user = ""
    if os.geteuid() == 0:  # PgBouncer does not run as root
        owner = Path(directory).owner()
        user = f"user = {owner if owner != 'root' else 'nobody'}\n"
    config.write_text(
        f"[databases]\n{name} = host={directory} dbname={name} user=postgres\n"
        f"[pgbouncer]\n{user}listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n"
        "ignore_startup_parameters = options,extra_float_digits\n"
    )
    home.chmod(0o755)
    config.chmod(0o644)
    log = (home / "log").open("wb")
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    process = subprocess.Popen([program, str(config)], stdout=log, stderr=log)
    try:
        wait_for_port(port, seconds=20)
        yield f"postgres://postgres@127.0.0.1:{port}/{name}"
    finally:
        process.kill()
        process.wait()
        log.close()


def test_pgbouncer_is_rejected_with_the_setting_to_change(production_installation, pooled_url):
    for command in ("setup", "serve"):
        output = production_installation.manage(
            command, check=False, DATABASE_URL=pooled_url, PORT="0"
        )
        assert "Set DATABASE_PREPARE=off" in output
        assert "Traceback" not in output


def test_pgbouncer_works_with_prepare_off(production_installation, pooled_url, person):
    changes = {"DATABASE_URL": pooled_url, "DATABASE_PREPARE": "off", "STATEMENT_SECONDS": "1"}
    assert production_installation.manage("setup", **changes) == ""
    servers = [production_installation.serve(**changes) for _ in range(2)]
    alice, bob = person(servers[0], "Alice"), person(servers[1], "Bob")
    members = [bob.call("GET", "/api/me/")[1]["id"]]
    status, made = alice.call("POST", "/api/conversations/", {"name": "Tea", "members": members})
    assert status == 201, made
    with alice.socket() as mouth, bob.socket() as ear:
        mouth.recv(timeout=10)
        ear.recv(timeout=10)
        for number in range(20):
            frame = {"type": "send", "conversation": made["id"], "key": f"{number}", "body": "tea"}
            mouth.send(json.dumps(frame))
        heard = 0
        while heard < 20:
            frame = json.loads(ear.recv(timeout=20))
            heard += frame["type"] == "message" and frame["message"]["kind"] == "text"

    # A lock held by someone else ends a transaction after 0.6 s, not after the whole statement timeout.
    with psycopg.connect(production_installation.env["DATABASE_URL"]) as other:
        other.execute("SELECT 1 FROM conversations_conversation FOR UPDATE")
        began = time.monotonic()
        path = f"/api/conversations/{made['id']}/"
        status, told = alice.call("PATCH", path, {"topic": "green"})
        assert (status, told["code"]) == (503, "busy")
        assert time.monotonic() - began < 5
    eventually(lambda: alice.call("PATCH", path, {"topic": "green"})[0] == 200)
