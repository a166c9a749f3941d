"""What keeps Chatty from starting is said in a sentence, whatever starts it, and repeats no secret."""

from __future__ import annotations

import http.client
import subprocess
import sys

import pytest

from conversations.proof.services import free_port
from tests.houses import ROOT

pytestmark = pytest.mark.servers

SECRET = "S3CRETWORD"
WAYS = {
    "setup": ["manage.py", "setup"],
    "serve": ["manage.py", "serve"],
    "runserver": ["manage.py", "runserver", "--noreload", "0"],
    "another command": ["manage.py", "new_epoch"],
    "daphne": ["-m", "daphne", "-p", "0", "chatty.asgi:application"],
}


def said_by(house, way, **changes):
    """What starting this way wrote; it must have failed without a traceback."""
    done = subprocess.run(
        [sys.executable, *WAYS[way]],
        cwd=ROOT,
        env={**house.env, "PORT": "0", "SECRET_KEY": "", **changes},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize("way", WAYS)
def test_a_setting_that_makes_no_sense_is_told(house, way):
    said = said_by(house, way, DATABASE_URL=f"postgres://u:1/{SECRET}@h/d")
    assert "DATABASE_URL should look like" in said


@pytest.mark.parametrize("way", WAYS)
def test_a_database_that_is_away_is_told(house, way):
    port = free_port()
    url = f"postgres://u:{SECRET}@127.0.0.1:{port}/d"
    said = said_by(house, way, DATABASE_URL=url, SECRET_KEY=house.env["SECRET_KEY"])
    assert f"PostgreSQL does not answer at 127.0.0.1:{port}" in said
    assert "Check DATABASE_URL" in said


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"DATABSE_URL": f"postgres://{SECRET}"}, "Did you mean DATABASE_URL?"),
        ({"REDIS_URL": "127.0.0.1:6379"}, "REDIS_URL should look like redis://"),
        ({"REDIS_URL": f"redis:{SECRET}"}, "REDIS_URL should look like redis://"),
        ({"PUBLIC_URL": "chat.example.org"}, "PUBLIC_URL='chat.example.org' should look like"),
        ({"PUBLIC_URL": f"https://u:{SECRET}@h"}, "PUBLIC_URL should look like"),
        ({"EMAIL_URL": f"u:{SECRET}@h"}, "EMAIL_URL should look like"),
        ({"SIGN_UP": "invited"}, "no invitations"),
        ({"DATA_DIR": "/proc/chatty"}, "/proc/chatty cannot be used"),
        ({"METRICS_TOKEN_FILE": "/nowhere"}, "METRICS_TOKEN_FILE=/nowhere cannot be read"),
        ({"DATABASE_URL": f"postgres://u:{SECRET}@nowhere.invalid/d"}, "no host 'nowhere.invalid'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_cause_has_its_own_sentence(house, changes, expected):
    assert expected in said_by(house, "setup", **changes)


def test_a_server_says_what_it_runs_on(grown_house):
    server = grown_house.serve()
    said = server.said()
    assert f"Database: PostgreSQL, {grown_house.home.name.replace('-', '_')} at " in said
    assert f"Redis: 127.0.0.1:{grown_house.redis.port}, database 0" in said
    assert "PUBLIC_URL: not set" in said
    assert f"Listening on: 127.0.0.1:{server.port}" in said


def test_a_name_that_is_not_ascii_is_served(house):
    server = house.serve(PUBLIC_URL="http://münchen.example")
    for host, status in (("xn--mnchen-3ya.example", 200), ("other.example", 400)):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/sign-in/", headers={"Host": host})
        assert connection.getresponse().status == status
        connection.close()
