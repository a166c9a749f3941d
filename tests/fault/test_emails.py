"""Emails arrive whatever fails, and are repeated only if the process ends before it has noted the answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
import urllib.request

import pytest

from proof.services import free_port
from tests.fault.failing import EMAIL_MOMENTS
from tests.installations import ChatServer, eventually
from tests.markers import on_each_database, postgres_is_long
from tests.smtp import MailServer
from tests.sockets import Member

pytestmark = [pytest.mark.servers, pytest.mark.slow]

SECRET = "0123456789abcdef" * 2


def request_email(server: ChatServer, email: str = "alice@example.org") -> None:
    form = urllib.parse.urlencode({"email": email, "csrfmiddlewaretoken": SECRET})
    headers = {"Cookie": f"chatty-csrf={SECRET}"}
    url = f"{server.url}/password/forgotten/"
    with urllib.request.urlopen(urllib.request.Request(url, form.encode(), headers)) as answer:
        assert answer.url.endswith("/sent/")


@on_each_database(EMAIL_MOMENTS, short={("sqlite", "email-prepared")})
def test_email_of_a_killed_server_arrives(moment, any_installation):
    with MailServer() as mail:
        server = any_installation.serve(failing=moment, EMAIL_URL=mail.url)
        # The email is stored before the response, and the server can be killed before that is sent.
        with contextlib.suppress(OSError, http.client.HTTPException):
            request_email(server)
        assert server.process.wait(10) == 9
        server.start()
        expected = 2 if moment == "email-sent" else 1
        eventually(lambda: len(mail.messages) == expected)
        assert len(set(mail.references)) == 1
        request_email(server, "bob@example.org")
        eventually(lambda: len(mail.messages) == expected + 1)
        assert len(set(mail.references)) == 2


@postgres_is_long
def test_email_waits_for_the_mail_server(any_installation):
    port = free_port()
    server = any_installation.serve(EMAIL_URL=f"smtp://127.0.0.1:{port}")
    request_email(server)
    eventually(lambda: "could not be reached" in server.output())
    with MailServer(port) as mail:
        eventually(lambda: mail.messages, 20)
        assert mail.messages[0]["To"] == "alice@example.org"
    assert "alice" not in server.output().lower()


@postgres_is_long
def test_mail_server_that_hangs_delays_neither_search_nor_the_stop(any_installation):
    """And the emails are sent after the restart."""
    with MailServer() as mail:
        mail.answers["CONNECT"] = ""
        server = any_installation.serve(EMAIL_URL=mail.url)
        alice = Member(server, "Alice").sign_in()
        tea = alice.create_conversation()
        names = ("alice", "bob", "carol")  # more than there are threads for the background work
        for name in names:
            request_email(server, f"{name}@example.org")
        eventually(lambda: mail.connections == len(names))
        alice.post_message(tea, "Peppermint")
        eventually(lambda: alice.ask("GET", "/api/search/?q=peppermint")["results"])
        assert mail.connections == len(names)  # none has given up, and been tried again
        assert server.terminate(30) == 0
        mail.answers.clear()
        mail.ended.set()
        server.start()
        eventually(lambda: mail.messages, 90)


@postgres_is_long
def test_refused_recipient_is_set_aside(any_installation):
    with MailServer() as mail:
        mail.answers["RCPT"] = "550 no such person: alice@example.org"
        server = any_installation.serve(EMAIL_URL=mail.url)
        request_email(server)
        eventually(lambda: "was set aside" in server.output())
        mail.answers.clear()
        request_email(server, "bob@example.org")
        eventually(lambda: mail.messages)
        assert "alice" not in server.output().lower()


class TestWork:
    def test_work_is_refused_on_sqlite(self, installation):
        code, output = installation.run("manage.py", "work")
        assert code == 1
        assert "Only one process can use an SQLite database" in output

    def test_server_without_background_work_is_refused_on_sqlite(self, installation):
        code, output = installation.run("manage.py", "serve", BACKGROUND_WORK="0")
        assert code == 1
        assert "chatty.E010" in output

    @pytest.mark.long
    def test_workers_share_what_the_server_leaves(self, production_installation):
        with MailServer() as mail:
            settings = {"BACKGROUND_WORK": "0", "EMAIL_URL": mail.url}
            server = production_installation.serve(**settings)
            request_email(server)
            workers = [production_installation.serve(kind="work", **settings) for _ in range(2)]
            eventually(lambda: len(mail.messages) == 1)
            alice = Member(server, "Alice").sign_in()
            alice.post_message(alice.create_conversation(), "Peppermint")
            eventually(lambda: alice.ask("GET", "/api/search/?q=peppermint")["results"])
            for name in ("bob", "carol"):
                request_email(server, f"{name}@example.org")
            eventually(lambda: len(mail.messages) == 3)
            workers[0].kill()
            request_email(server, "alice@example.org")
            eventually(lambda: len(mail.messages) == 4)
            with urllib.request.urlopen(f"{workers[1].url}/readyz") as answer:
                assert json.load(answer)["status"] == "ok"
            assert workers[1].terminate() == 0
            assert "Chatty is ready: background work" in workers[1].output()
            with urllib.request.urlopen(f"{server.url}/metrics") as answer:
                assert b'chatty_outgoing_waiting{kind="email"}' in answer.read()
