"""The documents match the code: examples are sent, tables are compared, links and names are checked."""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import get_commands
from drf_spectacular.generators import SchemaGenerator

from chatty.common.errors import CODES
from chatty.conf.known_settings import SETTINGS
from chatty.server import admission
from conversations import frames, limits, protocol
from conversations.attachments import limits as file_limits
from conversations.custom_emoji import limits as emoji_limits
from conversations.models import Message
from conversations.pins import limits as pin_limits
from conversations.sockets.limits import BAD_FRAMES
from conversations.wire import ConversationOut, MemberOut, MessageOut
from tests.cast import PASSWORD
from tests.installations import ChatServer
from tests.sockets import Client, Member, connect, new_key, open_sockets

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = (ROOT / "docs/protocol.md").read_text()
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if path.name not in {"AGENTS.md", "CLAUDE.md"}
)

FRAMES_AT_ONCE = 50  # far below the default, so that the limit is reached quickly

Frame = dict[str, Any]


@pytest.fixture(scope="module")
def place(builder) -> Iterator[ChatServer]:
    """A real server with a low frame limit."""
    with contextlib.closing(builder.sqlite()) as installation:
        yield installation.serve(
            TICK_SECONDS="1", LIMIT_FRAMES=f"{FRAMES_AT_ONCE}/m", PRESENCE_SECONDS="3"
        )


def blocks(language: str, text: str = PROTOCOL) -> list[str]:
    """Return the code blocks fenced as ```language."""
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def table(heading: str, text: str = PROTOCOL) -> list[list[str]]:
    """Return the rows of the first table with this first heading, without the header."""
    found = re.search(
        rf"^\| {re.escape(heading)} \|.*\n\|[-| ]+\n((?:\|.*\n)+)", text, re.MULTILINE
    )
    assert found, heading
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in found[1].splitlines()]
    return [[cell.strip() for cell in row] for row in rows]


def names(rows: list[list[str]]) -> list[str]:
    return [row[0].strip("`") for row in rows]


def examples() -> list[Frame]:
    return [json.loads(block) for block in blocks("json server")]


# --- frames of clients -------------------------------------------------------------------------------


def test_client_frame_examples_can_be_parsed():
    for block in blocks("json client"):
        for line in filter(None, block.splitlines()):
            assert isinstance(protocol.parse(line), protocol.ClientFrame)


def test_every_client_frame_has_an_example_with_all_fields():
    shown = {
        frame["type"]: set(frame) - {"type"} for frame in map(json.loads, blocks("json client"))
    }
    spoken = {
        kind.__struct_config__.tag: set(kind.__struct_fields__)
        for kind in protocol.ClientFrame.__subclasses__()
    }
    assert shown == spoken


# --- frames of the server ----------------------------------------------------------------------------


def variety(frame: Frame) -> tuple[Any, ...]:
    """Return what distinguishes frames of one type with different forms."""
    match frame["type"]:
        case "message":
            return ("message", frame["change"]["action"])
        case "conversation":
            return ("conversation", frame["change"])
        case "synced":
            return ("synced", frame["reset"])
        case "presence":
            return ("presence", frame["reset"])
        case "error":
            return ("error", frame["code"])
    return (frame["type"],)


def fits(real: Any, shown: Any, path: str = "") -> bool:
    """Return whether two frames have the same names with values of the same types."""
    if path.endswith(".notice.data"):
        return True  # depends on the kind: see its table
    if real is None or shown is None:
        return True
    if isinstance(real, dict) and isinstance(shown, dict):
        return set(real) == set(shown) and all(
            fits(real[name], shown[name], f"{path}.{name}") for name in real
        )
    if isinstance(real, list) and isinstance(shown, list):
        # Either can be empty; all items must look like the first.
        return all(fits(one, shown[0], path) for one in real) if shown else True
    return type(real) is type(shown)


@pytest.fixture(scope="module")
def people(place) -> list[Member]:
    return [Member(place, name).sign_in() for name in ("Alice", "Bob", "Carol")]


def eventful_life(alice: Member, bob: Member, carol: Member) -> list[Frame]:
    """Use every feature once; return all frames that were sent."""
    with open_sockets() as opened:
        room = alice.create_conversation(bob, name="Tea")
        path = f"/api/conversations/{room}/"
        hers, his, third = opened(alice), opened(bob), opened(carol)

        question = hers.send_and_wait(room, "Who brings the **biscuits**?")
        reply = his.send_and_wait(room, "I do", reply_to=question["id"])
        message = f"/api/messages/{question['id']}/"
        alice.ask("PATCH", message, {"body": "Who brings *the biscuits*?"})
        bob.ask("PUT", f"{message}reactions/%F0%9F%8D%AA/")
        alice.ask("DELETE", message)
        hers.say("typing", conversation=room)
        his.say("read", conversation=room, seq=3)
        hers.frames += [hers.take("seen"), hers.take("presence", reset=True)]
        his.say("sync", conversation=room, version=2)
        his.say("sync", conversation=room, version=2000)
        his.connection.send("{")
        hers.send(room, "x" * 12_000)
        link = alice.ask("POST", f"{path}join-link/")["url"]
        carol.ask("POST", "/api/join-requests/", {"token": link.split("/")[-2]})
        alice.ask("POST", f"{path}join-requests/{carol.id}/decline/", {})
        hers.frames.append(hers.take("join_requests"))
        third.frames.append(third.take("join_request"))
        alice.ask("POST", f"{path}members/", {"users": [carol.id]})
        alice.ask("PATCH", f"{path}members/{bob.id}/", {"role": "admin"})
        his.frames.append(his.take("conversation", change="role"))
        bob.ask("PATCH", f"{path}level/", {"level": "mentions"})
        third.frames.append(third.take("conversation", change="added"))
        hers.frames.append(hers.take("presence", reset=False, online=[carol.id]))
        alice.ask("DELETE", f"{path}members/{carol.id}/")
        third.frames.append(third.take("conversation", change="removed"))
        alice.ask("PATCH", "/api/me/", {"hue": 5})
        his.frames.append(his.take("person"))
        alice.ask("PUT", f"/api/messages/{reply['id']}/pin/")
        bob.ask("PATCH", "/api/me/", {"quiet_hours": {"start": "22:00", "end": "08:00"}})
        his.frames.append(his.take("quiet_hours"))
        again = opened(bob)  # now `hello` lists a conversation
        alice.ask("DELETE", path)
        his.frames.append(his.take("conversation", change="deleted"))

        former = Client(connect(alice.server, bearer(alice.token), subprotocols=("chatty.v1",)))
        assert former.close_code() == protocol.CLOSE_BAD_CLIENT
        leaving = Client(connect(alice.server, bearer(bob.new_token(exp=int(time.time()) + 6))))
        assert leaving.close_code(seconds=15) == protocol.CLOSE_UNAUTHENTICATED
        his.frames.append(his.take("read"))
        frames = [*former.frames, *leaving.frames]
        for client in (hers, his, third, again):
            frames += client.received()
        hasty = opened(carol)
        for _ in range(FRAMES_AT_ONCE + 1):
            hasty.say("ping")
        frames += [hasty.take("pong"), hasty.take("error", code="slow_down"), question]
    # Every socket gets it within 25 seconds; tests/test_sockets.py waits for it.
    return [*frames, *map(json.loads, protocol.HEARTBEAT.texts)]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.servers
@pytest.mark.xdist_group("documents")
def test_real_frames_match_the_documented_examples(people):
    heard, shown = eventful_life(*people), examples()

    def alike(real: Frame, one: Frame) -> bool:
        return variety(real) == variety(one) and fits(real, one)

    strange = [json.dumps(real) for real in heard if not any(alike(real, one) for one in shown)]
    assert strange == []
    dreamt = [json.dumps(one) for one in shown if not any(alike(real, one) for real in heard)]
    assert dreamt == []


def test_every_server_frame_has_an_example():
    known = {frame.__struct_config__.tag: frame for frame in protocol.ServerFrame.__subclasses__()}
    assert known.keys() == {frame["type"] for frame in examples()}
    assert known["hello"] is frames.HelloFrame


def test_every_kind_of_system_message_is_listed():
    rows = table("Kind")
    assert sorted(names(rows)) == sorted(set(Message.Kind.values) - {"text"})
    for _kind, data in rows:
        assert isinstance(json.loads(data.strip("`")), dict)


@pytest.mark.servers
@pytest.mark.xdist_group("documents")
def test_data_of_system_messages_is_as_listed(people):
    alice, bob, carol = people
    room = alice.create_conversation(bob, name="Tea", access="open")
    path = f"/api/conversations/{room}/"
    carol.ask("POST", f"{path}join/")
    carol.ask("POST", f"{path}leave/")
    alice.ask("PATCH", f"{path}members/{bob.id}/", {"role": "admin"})
    alice.ask("DELETE", f"{path}members/{bob.id}/")
    message = alice.post_message(room, "Milk first")
    alice.ask("PUT", f"/api/messages/{message['id']}/pin/")
    changes: dict[str, Any] = {
        "name": "Tea and more",
        "topic": "Leaves",
        "access": "closed",
        "archived": True,
    }
    changes |= {"posting": "admins"}
    alice.ask("PATCH", path, changes)
    alice.ask("PATCH", path, {"archived": False})
    notices = [each for each in alice.read_messages(room) if each["notice"]]
    told = {each["kind"]: set(each["notice"]["data"]) for each in notices}
    assert told == {row[0].strip("`"): set(json.loads(row[1].strip("`"))) for row in table("Kind")}


def test_fields_of_messages_conversations_and_members_are_listed():
    def listed(section: str, heading: str = "Field") -> set[str]:
        rows = table(heading, PROTOCOL[PROTOCOL.index(f"\n## {section}") :])
        return {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}

    assert listed("Messages") | {"id", "conversation"} == set(MessageOut.__struct_fields__)
    assert listed("Conversations") == set(ConversationOut.__struct_fields__)
    assert listed("Conversations", "Member field") == set(MemberOut.__struct_fields__)


def test_limits_are_the_defaults():
    rows = {row[0]: row[1] for row in table("Limit")}
    settings = {
        name[1]: value for row, value in rows.items() if (name := re.match(r"`(\w+)`: ", row))
    }
    assert len(settings) > 8
    assert settings == {name: SETTINGS[name].default for name in settings}
    numbers = [int(number.replace(",", "")) for number in map(first_number, rows.values())]
    assert numbers[: len(rows) - len(settings)] == [
        limits.BODY_MAX,
        limits.MENTIONS_MAX,
        max(size for size in range(100) if limits.KEY.fullmatch("k" * size)),
        protocol.FRAME_MAX,
        protocol.DEPTH_MAX,
        BAD_FRAMES,
        limits.SYNC_PAGE,
        limits.SYNC_REACH,
        int(SETTINGS["HTTP_BODY_MAX"].default),
        limits.FILES_MAX,
        file_limits.PIECE_MAX,
        emoji_limits.BYTES_MAX,
        admission.PIECES_AT_ONCE,
        file_limits.UNFINISHED_MAX,
        pin_limits.PINS_MAX,
    ]


def first_number(text: str) -> str:
    (found,) = re.findall(r"^[\d,]+", text)
    return str(found)


# --- codes -------------------------------------------------------------------------------------------


def test_every_close_code_is_listed():
    listed = {int(row[0]) for row in table("Code") if row[0].isdigit()}
    ours = {value for name, value in vars(protocol).items() if name.startswith("CLOSE_")}
    assert ours <= listed
    assert {code for code in listed if code >= 4000} == {code for code in ours if code >= 4000}


def test_page_handles_close_codes_as_listed():
    script = (ROOT / "static/js/chat/protocol.js").read_text()
    constants = dict(re.findall(r"export const ([A-Z_]+) = (\d+);", script))
    pairs = re.findall(r"\[(\w+), \"(\w+)\"\]", script)
    does = {int(constants.get(code, code)): action for code, action in pairs}
    listed = {int(row[0]): row[2] for row in table("Code") if row[0].isdigit()}
    assert does
    assert {code: does.get(code, "reconnect") for code in listed} == listed


def test_every_error_code_is_listed():
    text = PROTOCOL[PROTOCOL.index("## Errors") :]
    listed = {row[0].strip("`"): tuple(row[1:]) for row in table("Code", text)}
    assert listed == {
        name: (str(code.status), "yes" if code.retry else "no", code.detail)
        for name, code in CODES.items()
    }


# --- REST --------------------------------------------------------------------------------------------


def test_every_api_endpoint_is_listed():
    schema = SchemaGenerator().get_schema(public=True)
    doors = {
        f"{method.upper()} {path}" for path, ways in schema["paths"].items() for method in ways
    }
    assert set(names(table("Endpoint"))) == doors


@pytest.mark.servers
@pytest.mark.xdist_group("documents")
def test_error_example_matches_the_api(people):
    (example,) = (json.loads(block) for block in blocks("json rest"))
    alice = people[0]
    path = f"/api/conversations/{alice.create_conversation()}/messages/"
    answer = alice.call("POST", path, {"key": new_key(), "body": "x" * 10_001})
    assert answer == (CODES["too_long"].status, example)


@pytest.mark.servers
@pytest.mark.xdist_group("documents")
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_examples_work(place):
    account = {"EMAIL": "robin@example.org", "PASSWORD": "a long and winding road"}
    output = run(["bash", "-euo", "pipefail", "-c", "\n".join(blocks("bash"))], place, account)
    assert "<strong>beans</strong>" in output
    assert '"has_older"' in output
    assert '"reset":false' in output.replace(" ", "")


@pytest.mark.servers
@pytest.mark.xdist_group("documents")
def test_example_client_works(place):
    (program,) = blocks("python")
    account = {"EMAIL": "alice@example.org", "PASSWORD": PASSWORD}
    output = run([sys.executable, "-c", program], place, account)
    assert output.splitlines()[0] == "I am Alice"
    assert {"received sent", "received message"} <= set(output.splitlines())


def keeper_of_the_example(call) -> Any:
    """Return the `Tokens` of the example, which use `call` instead of a server and do not wait."""
    (program,) = blocks("python")
    parts: list[ast.stmt] = [
        node for node in ast.parse(program).body if isinstance(node, ast.Import | ast.ClassDef)
    ]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(parts, []), "protocol.md", "exec"), names)  # our own code
    names["call"] = call
    names["time"] = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None)
    return names["Tokens"]


def pair_of(number: int, *, seconds: int) -> dict[str, Any]:
    return {"access": f"access {number}", "refresh": f"refresh {number}", "expires_in": seconds}


def test_example_client_repeats_the_refresh_token_after_a_lost_response():
    asked = []

    def call(path, body):
        asked.append((path, body["refresh"]))
        if len(asked) < 3:
            raise ConnectionResetError
        return pair_of(2, seconds=600)

    tokens = keeper_of_the_example(call)(pair_of(1, seconds=0))
    assert tokens.access() == pair_of(2, seconds=600)["access"]
    assert asked == [("/api/token/refresh/", "refresh 1")] * 3


def test_example_client_refreshes_once_for_all_threads():
    asked = []

    def call(path, body):
        asked.append(body["refresh"])
        return pair_of(2, seconds=600)

    tokens = keeper_of_the_example(call)(pair_of(1, seconds=0))
    with ThreadPoolExecutor(8) as threads:
        got = {each.result() for each in [threads.submit(tokens.access) for _ in range(8)]}
    assert got == {pair_of(2, seconds=600)["access"]}
    assert asked == ["refresh 1"]


def run(command: list[str], place: ChatServer, account: dict[str, str]) -> str:
    """Run an example against a server; return its output."""
    env = {**os.environ, **account, "CHATTY": place.url, "no_proxy": "*", "NO_PROXY": "*"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- files and commands ------------------------------------------------------------------------------


def test_table_of_layers_matches_the_contracts():
    """Each package of a contract is in the table, higher ones in higher rows."""
    rows = table("Layer", (ROOT / "docs/architecture.md").read_text())
    row_of = {
        path.removesuffix(".py").rstrip("/").replace("/", "."): number
        for number, row in enumerate(rows)
        for path in re.findall(r"`([^`]+)`", row[1])
    }
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    for contract in settings["contracts"]:
        for container in contract.get("containers", []):
            if container in row_of:
                continue  # one row for all of it
            layers = [re.split(r" [|:] ", layer) for layer in contract["layers"]]
            rows_of_layers = [{row_of[f"{container}.{name}"] for name in layer} for layer in layers]
            for higher, lower in itertools.pairwise(rows_of_layers):
                assert max(higher) < min(lower), (container, higher, lower)


def slug(heading: str) -> str:
    """Return the anchor of a heading on the usual hosts."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_are_not_dead(path):
    dead = []
    prose = re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", prose):
        target = "".join(link)
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path if not name else path.parent / name
        if not file.exists():
            dead.append(target)
        elif anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            if anchor not in map(slug, headings):
                dead.append(target)
    assert dead == []


def test_every_decision_is_in_the_index():
    decisions = ROOT / "docs/decisions"
    listed = re.findall(r"\]\((\d{3}-[\w-]+\.md)\)", (decisions / "README.md").read_text())
    assert listed == sorted(path.name for path in decisions.glob("[0-9]*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_named_in_documents_exist(path):
    """`conversations/access.py`, `static/js/`: paths in backticks that start with a file or directory of the
    project."""
    tops = {entry.name for entry in ROOT.iterdir()} - {"var"}
    gone = [
        name
        for name in re.findall(r"`([\w.-]+/[\w./-]*)`", path.read_text())
        if name.partition("/")[0] in tops and not (ROOT / name).exists()
    ]
    assert gone == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_names_in_documents_exist_in_their_files(name):
    """`send_message` in `conversations/actions/sending.py`, `tests/test_docs.py::test_links_are_not_dead`."""
    text = " ".join((ROOT / name).read_text().split())
    one = r"`#?\w+`"
    several = rf"({one}(?:(?:, | and |, and | of ){one})*) in `([\w./-]+\.\w+)`"
    pairs = [
        (each, path)
        for names, path in re.findall(several, text)
        for each in re.findall(r"\w+(?=`)", names)
    ]
    pairs += [(each, path) for path, each in re.findall(r"`([\w./-]+)::(\w+)`", text)]
    assert len(pairs) > 3
    assert [
        (each, path)
        for each, path in pairs
        if not re.search(rf"\b{each}\b", (ROOT / path).read_text())
    ] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_documents_exist(path):
    text = path.read_text()
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(
        [*re.findall(r"`[^`\n]+`", text), *re.findall(r"```\w*\n.*?```", text, re.DOTALL)]
    )
    assert set(re.findall(r"\bmake ([a-z][\w-]*)", code)) <= targets
    assert set(re.findall(r"manage\.py ([a-z]\w*)", code)) - {"help", "version"} <= set(
        get_commands()
    )
