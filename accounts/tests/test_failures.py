"""Each failed sign-in is one line in the log, which the filter in deploy/fail2ban/ matches."""

from __future__ import annotations

import configparser
import json
import logging
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from django.test import Client

from accounts import actions, socket_auth, tokens
from accounts.tests.helpers import bearer, raises_chat_error
from accounts.tests.test_tokens import altered
from chatty.ops import logs
from tests.cast import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
FILTER = ROOT / "deploy/fail2ban/filter.d/chatty.conf"
JAIL = ROOT / "deploy/fail2ban/jail.d/chatty.conf"
LINE = "2026-11-28T02:50:00.123Z WARNING accounts.failures Failed sign-in from {} by form: {}"
JSON = (
    '{{"time": "2026-11-28T02:50:00.123Z", "level": "WARNING", "logger": "accounts.failures",'
    ' "message": "Failed sign-in from {} by form: {}", "request": "abc"}}'
)
JOURNAL = "chat python[4711]: "  # how fail2ban renders the fields of a journal entry


@pytest.fixture
def lines(caplog):
    """Return the logged lines about failed sign-ins."""
    return lambda: [r.getMessage() for r in caplog.records if r.name == "accounts.failures"]


def api(path, **data):
    return Client(REMOTE_ADDR="192.0.2.7").post(path, data, content_type="application/json")


class TestLines:
    pytestmark = pytest.mark.django_db

    def test_failed_form_sign_in_is_logged(self, alice, lines):
        client = Client(REMOTE_ADDR="2001:db8::7")
        for given in ({"password": "wrong"}, {"email": "nobody@example.org"}):
            client.post("/sign-in/", {"email": alice.email, "password": PASSWORD, **given})
        line = "Failed sign-in from 2001:db8::7 by form: wrong_credentials"
        assert lines() == [line, line]

    def test_admin_uses_the_same_form(self, db):
        answer = Client().post("/admin/login/", {"username": "x", "password": "y"})
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in/")

    def test_failed_api_sign_in_is_logged(self, alice, lines):
        api("/api/token/", email=alice.email, password="wrong")
        api("/api/token/", email=alice.email, password="x" * 300)
        actions.close_account(alice)
        api("/api/token/", email=alice.email, password=PASSWORD)
        assert lines() == [
            f"Failed sign-in from 192.0.2.7 by api: {code}"
            for code in ("wrong_credentials", "too_long", "account_closed")
        ]

    def test_rate_limited_attempts_are_logged(self, alice, lines, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in": "1/h"}
        for _ in range(2):
            api("/api/token/", email=alice.email, password="wrong")
        assert lines()[1:] == ["Failed sign-in from 192.0.2.7 by api: slow_down"]

    @pytest.mark.parametrize("forged", ["x", "a.b.c", "ä", "x" * 5000])
    def test_forged_tokens_are_logged(self, alice, lines, forged):
        api("/api/token/refresh/", refresh=forged)
        Client(REMOTE_ADDR="192.0.2.7").get("/api/me/", **bearer(forged))
        line = "Failed sign-in from 192.0.2.7 by api: token_invalid"
        assert lines() == [line, line]

    def test_socket_with_invalid_token_is_logged(self, db, lines):
        header = (b"authorization", b"Bearer a.b.c")
        with raises_chat_error("token_invalid"):
            socket_auth.identify({"headers": [header], "client": ("192.0.2.7", 1)})
        assert lines() == ["Failed sign-in from 192.0.2.7 by socket: token_invalid"]

    def test_ordinary_requests_are_not_logged(self, alice, pair, lines):
        late = altered(pair.access, exp=int(time.time()) - 1)
        Client().get("/api/me/", **bearer(late))
        actions.end_sign_in(tokens.identify(pair.access).sign_in.sid)
        Client().get("/api/me/", **bearer(pair.access))
        api("/api/token/", email=alice.email, password=PASSWORD)
        Client().post("/sign-in/", {"email": "", "password": ""})
        Client().get("/api/me/")
        assert lines() == []

    def test_emails_are_not_logged(self, alice, caplog):
        with caplog.at_level(logging.DEBUG):
            api("/api/token/", email=alice.email, password="wrong")
        assert alice.email not in caplog.text

    def test_failures_are_logged_at_any_log_level(self):
        assert logs.configuration("error", debug=False)["loggers"]["accounts.failures"] == {
            "level": "WARNING"
        }


READ = [
    (LINE, "192.0.2.7"),
    (LINE, "2001:db8::7"),
    (LINE + " request=4f2a", "192.0.2.7"),
    (JOURNAL + LINE, "192.0.2.7"),
    (JSON, "2001:db8::7"),
    (JOURNAL + JSON, "192.0.2.7"),
]
# Writing such a line into a name, a path or a header must not ban anyone.
NOT_READ = [
    "2026-11-28T02:50:00.123Z INFO chatty.access GET / agent=" + LINE.format("192.0.2.7", "x"),
    "2026-11-28T02:50:00.123Z INFO chatty.access agent=" + LINE[25:].format("192.0.2.7", "x"),
    "2026-11-28T02:50:00.123Z WARNING chatty said=" + LINE.format("192.0.2.7", "slow_down"),
    json.dumps({"time": "2026-11-28T02:50:00.123Z", "said": JSON.format("192.0.2.7", "slow_down")}),
    LINE.format("unknown", "wrong_credentials"),
]


class TestFilter:
    def patterns(self) -> list[re.Pattern[str]]:
        """Return the filter's expressions, with fail2ban's abbreviations expanded."""
        parser = configparser.ConfigParser()
        parser.read(FILTER)
        wanted = parser["Definition"]["failregex"].strip().splitlines()
        return [re.compile(each.replace("<ADDR>", "(?P<ip>[0-9a-f.:]+)")) for each in wanted]

    @pytest.mark.parametrize(("form", "address"), READ)
    def test_filter_matches_the_address(self, form, address):
        line = form.format(address, "wrong_credentials")
        found = [match["ip"] for each in self.patterns() if (match := each.search(line))]
        assert found == [address]

    @pytest.mark.parametrize("line", NOT_READ)
    def test_filter_ignores_forged_lines(self, line):
        assert [match for each in self.patterns() if (match := each.search(line))] == []

    def test_filter_matches_the_real_log_formats(self):
        for formatter in (logs.LineFormatter, getattr(logs, "JsonFormatter", logs.LineFormatter)):
            record = logging.makeLogRecord(
                {
                    "name": "accounts.failures",
                    "levelname": "WARNING",
                    "msg": "Failed sign-in from %s by %s: %s",
                    "args": ("192.0.2.7", "api", "token_invalid"),
                }
            )
            line = formatter().format(record)
            assert [match["ip"] for each in self.patterns() if (match := each.search(line))] == [
                "192.0.2.7"
            ]

    @pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="needs fail2ban")
    def test_fail2ban_matches_the_same_lines(self, tmp_path):
        log = tmp_path / "chatty.log"
        read = [form.format(address, "wrong_credentials") for form, address in READ]
        read = [f"Nov 28 02:50:00 {line}" if line.startswith(JOURNAL) else line for line in read]
        log.write_text("\n".join([*read, *NOT_READ]) + "\n")
        done = subprocess.run(
            ["fail2ban-regex", "--out", "<ip>", str(log), str(FILTER)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.split() == [address for _form, address in READ]

    def test_jail_uses_the_filter(self):
        parser = configparser.ConfigParser()
        parser.read(JAIL)
        assert parser["chatty"]["filter"] == FILTER.stem
