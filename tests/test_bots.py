"""The bots of docs/bots.md answer each message exactly once, whenever they are killed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cast import PASSWORD
from tests.installations import eventually
from tests.sockets import Member, new_member

ROOT = Path(__file__).resolve().parent.parent
LINES = {"short": 30, "python": 55}  # without blank lines and imports


def node() -> list[str]:
    """Return the command that runs a file, or an empty list. Before Node 22, WebSocket has to be enabled."""
    path = shutil.which("node")
    if path is None:
        return []
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    is_old = int(version.stdout.removeprefix("v").partition(".")[0]) < 22
    return [path, "--no-warnings", *(["--experimental-websocket"] if is_old else [])]


COMMANDS = {"short": [sys.executable], "python": [sys.executable], "js": node()}
LANGUAGES = [
    "python",
    pytest.param(
        "js", marks=[pytest.mark.long, pytest.mark.skipif(not COMMANDS["js"], reason="needs Node")]
    ),
]


@pytest.fixture(scope="module")
def place(builder):
    with contextlib.closing(builder.sqlite()) as installation:
        yield installation.serve(TICK_SECONDS="1")


def program(name: str) -> str:
    """Return the program "short", "python" or "js": there are two in Python."""
    text = (ROOT / "docs/bots.md").read_text()
    found = re.findall(r"^```(?:python|js)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(zip(COMMANDS, found, strict=True))[name]


def registered(place, name: str) -> Member:
    """Create the bot's account as the document says."""
    text = (ROOT / "docs/bots.md").read_text()
    (command,) = re.findall(r"^   (curl .*?)^   ```$", text, re.MULTILINE | re.DOTALL)
    member = Member(place, name)
    account = {"CHATTY": place.url, "EMAIL": member.email, "PASSWORD": PASSWORD}
    subprocess.run(
        ["sh", "-c", command], env={**os.environ, **account, "no_proxy": "*"}, check=True
    )
    return member.sign_in()


class Bot:
    """The program as a process. Every start is a new one, without any state of the last."""

    def __init__(self, place, language: str, account, directory: Path) -> None:
        self.path = directory / ("bot.mjs" if language == "js" else "bot.py")
        self.path.write_text(program(language))
        self.command = [*COMMANDS[language], str(self.path)]
        self.output = directory / "output"
        no_proxy = {"no_proxy": "*", "NO_PROXY": "*"}
        self.env = {**os.environ, **account, "CHATTY": f"{place.url}/", **no_proxy}

    @contextlib.contextmanager
    def running(self):
        with self.output.open("a") as output:
            # In a group of its own: `node` can be a wrapper that starts the real one.
            process = subprocess.Popen(
                self.command, env=self.env, stdout=output, stderr=output, start_new_session=True
            )
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def answered(person, conversation) -> tuple[list[int], list[int]]:
    """Return the ids of all pings, and the ids that pongs reply to."""
    messages = person.read_messages(conversation)
    pings = [message["id"] for message in messages if message["body"] == "ping"]
    pongs = [message["reply_to"]["id"] for message in messages if message["body"] == "pong"]
    return pings, pongs


def has_answers(person, conversation, number: int) -> bool:
    return len(answered(person, conversation)[1]) >= number


@pytest.mark.servers
@pytest.mark.parametrize("language", LANGUAGES)
def test_bot_of_the_document_answers_each_message_once(place, language, tmp_path):
    alice, robot = new_member(place), registered(place, f"Pingbot{language}")
    room = alice.create_conversation(robot, name="Machine room")
    bot = Bot(place, language, {"EMAIL": robot.email, "PASSWORD": PASSWORD}, tmp_path)
    for turn in range(5):
        alice.post_message(room, "ping")  # while it is not running
        with bot.running():
            for number in range(4):
                alice.post_message(room, "ping")
                alice.post_message(room, f"not for you {number}")
            # Killed at the first answer of each turn, so in the midst of the others.
            eventually(partial(has_answers, alice, room, turn * 2 + 1), seconds=20)
    gone = alice.post_message(room, "ping")
    alice.ask("DELETE", f"/api/messages/{gone['id']}/")
    assert "Connected as Ping bot" in bot.output.read_text()
    with bot.running() as process:

        def has_answered_all() -> bool:
            pings, pongs = answered(alice, room)
            return sorted(pings) == sorted(set(pongs))

        eventually(has_answered_all, seconds=30)
        for _ in range(3):
            alice.post_message(room, "ping")
        place.kill()
        place.start()
        alice.post_message(room, "ping")
        eventually(has_answered_all, seconds=30)
        direct = alice.ask("POST", "/api/conversations/direct/", {"user": robot.id})["id"]
        # The last answer comes after any second one to the messages before.
        for number in (1, 2):
            alice.post_message(direct, "ping")
            eventually(partial(has_answers, alice, direct, number), seconds=20)
        assert process.poll() is None
    pings, pongs = answered(alice, room)
    assert (len(pings), sorted(pongs)) == (29, sorted(pings)), bot.output.read_text()
    pings, pongs = answered(alice, direct)
    assert (len(pings), sorted(pongs)) == (2, sorted(pings))


@pytest.mark.servers
def test_bot_of_thirty_lines_answers_each_message_once(place, tmp_path):
    alice, robot = new_member(place), registered(place, "Pingbotshort")
    room = alice.create_conversation(robot, name="Small machine room")
    closed = alice.create_conversation(robot, name="Archive")
    bot = Bot(place, "short", {"EMAIL": robot.email, "PASSWORD": PASSWORD}, tmp_path)
    alice.post_message(closed, "ping")
    alice.ask("PATCH", f"/api/conversations/{closed}/", {"archived": True})
    for turn in range(2):
        for _ in range(6):
            alice.post_message(room, "ping")
        with bot.running():  # and killed at its first answer
            eventually(lambda turn=turn: len(pongs_in(alice, room)) > turn * 6, seconds=20)
    with bot.running():
        eventually(lambda: len(pongs_in(alice, room)) >= 12, seconds=20)
        alice.post_message(room, "ping")  # while it waits for something to happen
        eventually(lambda: len(pongs_in(alice, room)) >= 13, seconds=20)
    assert len(pongs_in(alice, room)) == 13, bot.output.read_text()
    assert pongs_in(alice, closed) == []


def pongs_in(person, conversation) -> list[int]:
    return [each["id"] for each in person.read_messages(conversation) if each["body"] == "pong"]


@pytest.mark.servers
@pytest.mark.parametrize("language", LANGUAGES)
def test_bot_with_a_wrong_password_stops(place, language, tmp_path):
    account = {"EMAIL": new_member(place).email, "PASSWORD": "not the password at all"}
    bot = Bot(place, language, account, tmp_path)
    with bot.running() as process:
        assert process.wait(timeout=20) == 1
    assert re.search("401|Wrong email address or password", bot.output.read_text())


@pytest.mark.parametrize("name", LINES)
def test_bots_of_the_document_are_short(name):
    lines = [line for line in program(name).splitlines() if line and "import " not in line]
    assert len(lines) <= LINES[name]
