"""Sends the requests of the examples in the API's description, and writes the responses into their files.

    python -m tests.api_examples

chatty/api/examples.py describes the files. Each operation starts in the same small world: Alice (2), Bob (3),
Carol (4) and Rita (5); the public group "Garden" (7) of Alice and Bob, from which Rita was removed; and
Alice's private group "Tea" (8) with a pinned message, which Carol asks to join. Requests are Alice's, unless
`as` names another person, or is null. `while` names a state of the server, `form` the fields of a form, of
which `picture` is a file. `body_file` and `answer_file` are bytes of the media type `type`. All files are in
static/examples/.

What differs from run to run, such as a token or a time, is replaced: see STAND_INS and _constant().
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()

from django.conf import settings
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection, transaction
from django.test import Client, override_settings
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from PIL import Image, ImageChops

from accounts import actions as accounts
from accounts import tokens
from accounts.models import SignIn, User
from chatty.api import examples
from chatty.api.views import SharedSchemaGenerator
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from conversations import actions
from conversations.attachments.actions import uploading
from conversations.attachments.storage import LocalStorage
from conversations.custom_emoji import actions as custom_emoji
from conversations.invitations.actions import create_invitation
from conversations.join_requests import actions as join_requests
from conversations.join_requests import links
from conversations.models import Conversation, Message
from conversations.pins import actions as pinning
from conversations.search.index import index_messages
from tests import cast

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "static/examples"
HOST = "chat.example.org"
SITE = f"https://{HOST}"
PARTS = (
    *("name", "as", "while", "method", "path", "headers", "type", "body_file", "form", "body"),
    *("status", "answer_file", "answer"),
)
_FIRST_IDS = {
    "accounts_user": 2,
    "conversations_conversation": 7,
    "conversations_message": 11,
    "custom_emoji_customemoji": 1,
    "invitations_invitation": 1,
}
_ACCESS = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIiwidHlwIjoiYWNjZXNzIn0.c2lnbmF0dXJl"
_REFRESH = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIiwidHlwIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
_PICTURE = "picture.png"  # of Bob and of the emoji
# What is shown, for each value that differs from run to run and can be sent.
STAND_INS = {
    "refresh": _REFRESH,
    "session": "pXq4sVtL9oTcKc0Gd3m1YkzRbW7uHe2a",
    "invitation": "Zk3wqT8sVb1nXc5mRd7yLg",
    "join": "Hu2eNf9pQx4jCa6tWs8kMo",
    "upload": "8e6d2f0c4b1a49d3a7f5c2e19b0d6384",
    "file": "3b9a7c51d2e84f60b8c3a1f7e5d90264",
    "picture": "0f343b0931126a20f133d67c2b018a3b",
    "emoji": "s9d1f3c7a52e80b64f1a7",
}
# What is shown of new values, by the name of their field.
_NEW = {
    "access": _ACCESS,
    "refresh": _REFRESH,
    "sid": STAND_INS["session"],
    "token": "Rw6bJd2xUe9vGh4zPa1sTq",
}
_LIFETIMES = {"expires_in": 600, "refresh_expires_in": 2592000}  # a second less, now and then
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_DIGEST = re.compile(r"\b[0-9a-f]{32}\b")


class World:
    """The rows that exist before each operation. `values`: those of STAND_INS."""

    def __init__(self) -> None:
        _set_first_ids()
        self.people = {name: cast.create_user(name) for name in ("Alice", "Bob", "Carol", "Rita")}
        alice, bob, carol, rita = self.people.values()
        garden = actions.create_conversation(
            alice, name="Garden", topic="What grows", access="open", member_ids=[bob.pk, rita.pk]
        )
        actions.remove_member(alice, garden.pk, rita.pk)
        beans = _say(bob, garden, "beans-1", "The beans are up!")
        _say(alice, garden, "beans-2", "Who brings the **biscuits**?", reply_to=beans.pk)
        actions.react(alice, beans.pk, "🌱")
        tea = actions.create_conversation(alice, name="Tea")
        link = join_requests.make_link(alice, tea.pk)
        join = links.make_token(link.nonce)
        for person, note in ((carol, "I bring biscuits."), (rita, "")):
            join_requests.ask_to_join(person, join, note)
        join_requests.decline(alice, tea.pk, rita.pk, block=True)
        invited = create_invitation(alice, key="friends", conversation_ids=[garden.pk], note="Hi!")
        upload, _new = uploading.begin(alice, key="seeds-1", name="seeds.txt", size=20)
        uploading.add_piece(alice, upload.pk, 0, b"Beans, peas")
        file, _new = uploading.begin(alice, key="plan-1", name="plan.txt", size=12)
        uploading.add_piece(alice, file.pk, 0, b"Beans first.")
        accounts.update_profile(bob, picture=_bytes_of(_PICTURE))
        emoji, _new = custom_emoji.add(
            alice, key="sprout-1", name="sprout", picture=_bytes_of(_PICTURE)
        )
        index_messages(list(Message.objects.values_list("pk", flat=True)))
        pinning.pin(alice, _say(alice, tea, "doors-1", "The door code is 4711.").pk)
        self.pair = tokens.begin(alice, client="Garden bot 1.0")
        sign_in = SignIn.objects.get(user=alice)
        self.values = {
            "refresh": self.pair.refresh,
            "session": sign_in.sid,
            "invitation": invited.token,
            "join": join,
            "upload": upload.pk,
            "file": file.pk,
            "picture": bob.picture,
            "emoji": emoji.picture_id,
        }

    def client_of(self, name: str | None) -> Client:
        if name is None:
            return Client()
        person = self.people[name]
        pair = self.pair if name == "Alice" else tokens.begin(person, client="A program")
        return Client(headers={"Authorization": f"Bearer {pair.access}"})

    def actual(self, text: str) -> str:
        for name, shown in STAND_INS.items():
            text = text.replace(shown, self.values[name])
        return text

    def shown(self, text: str) -> str:
        for name, shown in STAND_INS.items():
            text = text.replace(self.values[name], shown)
        return text


@contextmanager
def world() -> Iterator[World]:
    """Everything is undone at the end."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        limits = dict.fromkeys(settings.LIMITS, "100000/s")
        changed = {"PUBLIC_URL": SITE, "ALLOWED_HOSTS": [HOST], "DATA_DIR": home, "LIMITS": limits}
        changed |= {"MAIL_SET_UP": True, "SIGN_UP": "open"}
        stack.enter_context(override_settings(**changed))
        files = {"files": LocalStorage(location=home / "files")}
        stack.enter_context(patch.dict(storages._storages, files))
        stack.enter_context(transaction.atomic())
        yield World()
        transaction.set_rollback(True)


def _set_first_ids() -> None:
    with connection.cursor() as cursor:
        for table, number in _FIRST_IDS.items():
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, number - 1]
            )


def _say(user: User, conversation: Conversation, key: str, body: str, **more: Any) -> Message:
    return actions.send_message(user, conversation.pk, key=key, body=body, **more).message


def _bytes_of(file: str) -> bytes:
    return (FILES / file).read_bytes()


def _is_picture_of(file: str, content: bytes) -> bool:
    """Return whether they look the same. Libraries of another version encode them in other bytes."""
    pictures = [Image.open(io.BytesIO(each)) for each in (_bytes_of(file), content)]
    (kind, size), other = [(each.format, each.size) for each in pictures]
    before, now = (each.convert("RGB") for each in pictures)
    ranges: Any = ImageChops.difference(before, now).getextrema()  # of each colour
    return (kind, size) == other and all(most < 8 for _least, most in ranges)


def _fail(*_args: Any, **_kwargs: Any) -> None:
    raise OperationalError


def _slow_down(*_args: Any, **_kwargs: Any) -> None:
    raise ChatError("slow_down", retry_after=2)


WHILE: dict[str, Callable[[], Any]] = {
    "administrators approve accounts": partial(override_settings, SIGN_UP="approved"),
    "the database fails": partial(patch, "accounts.queries.people_with", _fail),
    "a limit is reached": partial(patch, "accounts.api.views.limiter.check", _slow_down),
}


def run(here: World, method: str, found: list[examples.Example]) -> list[examples.Example]:
    """Return the examples of an operation with what the server responds now."""
    limiter.clear()
    made = []
    for example in found:
        with transaction.atomic(), WHILE.get(example.get("while", ""), transaction.atomic)():
            response = _send(here, example.get("method", method), example)
        result = {**example, "status": response.status_code}
        result.pop("answer", None)
        if response.get("Content-Type", "").startswith("application/json"):
            answer = json.loads(here.shown(response.content.decode()))
            result["answer"] = _constant(answer, sent=json.dumps(example.get("body")))
        if file := example.get("answer_file"):
            is_same = _is_picture_of(file, response.content)
            result |= {"type": response["Content-Type"], "answer_file": file if is_same else None}
        made.append({part: result[part] for part in PARTS if part in result})
    return made


def _send(here: World, method: str, example: examples.Example) -> Any:
    client = here.client_of(example.get("as", "Alice"))
    given: dict[str, Any] = {"headers": {"Host": HOST, **example.get("headers", {})}}
    if "body" in example:
        body = here.actual(json.dumps(example["body"], ensure_ascii=False))
        given |= {"data": body, "content_type": "application/json"}
    elif "form" in example:
        name = example["form"]["picture"]
        picture = SimpleUploadedFile(name, _bytes_of(name), "image/png")
        form = encode_multipart(BOUNDARY, {**example["form"], "picture": picture})
        given |= {"data": form, "content_type": MULTIPART_CONTENT}
    elif "body_file" in example:
        given |= {"data": _bytes_of(example["body_file"]), "content_type": example["type"]}
    path = here.actual(example["path"])
    return client.generic(method, path, secure=True, **given)


def _constant(value: Any, *, sent: str, name: str = "") -> Any:
    """Replace what differs from run to run, but not what was sent."""
    if isinstance(value, dict):
        return {key: _constant(each, sent=sent, name=key) for key, each in value.items()}
    if isinstance(value, list):
        return [_constant(each, sent=sent, name=name) for each in value]
    if name in _LIFETIMES:
        return _LIFETIMES[name]
    if not isinstance(value, str) or (value and value in sent):
        return value
    if value in STAND_INS.values():
        return value
    if time := _TIME.fullmatch(value):
        return _time(name, time[1] or "")
    if name == "link":
        return value.rpartition("/")[0].rpartition("/")[0] + f"/{_NEW['token']}/"
    if name == "url" and value.startswith(SITE):
        return _last_part(value)
    if name in ("access", "refresh") and not value.startswith("eyJ"):
        return value  # who can join a conversation
    if name in _NEW:
        return _NEW[name]
    if name == "next":
        return re.sub("cursor=[^&]+", "cursor=WzQyXQ", value)
    if name == "id":
        return STAND_INS["upload"]
    return _DIGEST.sub(lambda found: _known(found[0]), value)


def _last_part(url: str) -> str:
    known = url.strip("/").rpartition("/")[2] in STAND_INS.values()
    return url if known else url.rstrip("/").rpartition("/")[0] + f"/{_NEW['token']}/"


def _known(digest: str) -> str:
    return digest if digest in STAND_INS.values() else STAND_INS["picture"]


def _time(name: str, fraction: str) -> str:
    """`fraction`: of the second. The time that is shown has as many digits."""
    day = {"expires_at": "2026-12-23", "edited_at": "2026-11-24"}.get(name, "2026-11-23")
    return f"{day}T16:26:43{'.209153'[: len(fraction)]}Z"


def files() -> Iterator[Path]:
    """The files of all apps."""
    for app in ("accounts", "chatty", "conversations"):
        yield from sorted((ROOT / app).rglob(f"api/{examples.FILE}"))


def methods() -> dict[str, str]:
    """Return the method of each operation."""
    paths = SharedSchemaGenerator().get_schema()["paths"]
    return {
        operation["operationId"]: method.upper()
        for operations in paths.values()
        for method, operation in operations.items()
    }


def results(path: Path, here: World) -> dict[str, list[examples.Example]]:
    """Return what the file should contain."""
    made = {}
    known = methods()
    for operation, found in json.loads(path.read_text()).items():
        with transaction.atomic():
            made[operation] = run(here, known.get(operation, ""), found)
            transaction.set_rollback(True)
    return made


def encoded(found: dict[str, list[examples.Example]]) -> str:
    """Return the contents of a file, with one part of an example per line."""
    lines = []
    for operation, several in found.items():
        shown = []
        for example in several:
            parts = [
                f'      "{name}": {json.dumps(value, ensure_ascii=False)}'
                for name, value in example.items()
            ]
            shown.append("    {\n" + ",\n".join(parts) + "\n    }")
        lines.append(f'  "{operation}": [\n' + ",\n".join(shown) + "\n  ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    connection.creation.create_test_db(verbosity=0)
    for path in files():
        with world() as here:
            made = encoded(results(path, here))
        if made != path.read_text():
            print(path.relative_to(ROOT))
            path.write_text(made)


if __name__ == "__main__":
    main()
