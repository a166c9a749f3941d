"""WebKitGTK, the engine of Safari, through WebDriver: HTTP requests to its driver, under Xvfb."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proof.services import free_port
from tests.browser.engines.window import PATIENCE, SIZE, EngineError, Window, end
from tests.services import wait_for_port

PROGRAMS = ("WebKitWebDriver", "Xvfb")
_LIBRARIES = Path("/usr/lib")
_OPTIONS = ["--automation", "--enable-write-console-messages-to-stdout=true"]


class _WebKit(Window):
    def __init__(self, port: int, log: Path) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4 * PATIENCE)
        self._log = log
        options = {"binary": str(_browser()), "args": _OPTIONS}
        wanted = {"browserName": "MiniBrowser", "webkitgtk:browserOptions": options}
        self._path = "/session"
        session = self._command("", capabilities={"alwaysMatch": wanted})
        self._path = f"/session/{session['sessionId']}"
        width, height = SIZE
        self._command("/window/rect", x=0, y=0, width=width, height=height)

    def goto(self, url: str) -> None:
        self._command("/url", url=url)

    def reload(self) -> None:
        self._command("/refresh")

    def evaluate(self, script: str, *arguments: Any) -> Any:
        return self._command("/execute/sync", script=script, args=list(arguments))

    def perform(self, actions: list[dict[str, Any]]) -> None:
        self._command("/actions", actions=actions)

    def errors(self) -> list[str]:
        lines = self._log.read_text(errors="replace").splitlines()
        return [line for line in lines if line.startswith("CONSOLE") and " ERROR " in line]

    def screenshot(self) -> bytes:
        return base64.b64decode(self._request("GET", "/screenshot"))

    def close(self) -> None:
        self._request("DELETE", "")

    def _command(self, path: str, **params: Any) -> Any:
        return self._request("POST", path, params)

    def _request(self, method: str, path: str, params: Any = None) -> Any:
        body = None if params is None else json.dumps(params)
        self._connection.request(method, self._path + path, body)
        value = json.loads(self._connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise EngineError(f"{path}: {value['error']}: {value.get('message')}")
        return value


@contextlib.contextmanager
def open_window() -> Iterator[Window]:
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chatty-webkit-")))
        log, port = home / "log.txt", free_port()
        environment = {
            **os.environ,
            "DISPLAY": stack.enter_context(_display()),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "LANGUAGE": "en_GB",
            "NO_AT_BRIDGE": "1",
            "TZ": "UTC",
        }
        with log.open("wb") as output:
            driver = subprocess.Popen(
                ["WebKitWebDriver", f"--port={port}"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        stack.callback(end, driver)
        wait_for_port(port, PATIENCE)
        window = _WebKit(port, log)
        stack.callback(window.close)
        yield window


@contextlib.contextmanager
def _display() -> Iterator[str]:
    """Start an X server, which chooses a free number itself."""
    reading, writing = os.pipe()
    screen = "x".join(map(str, (*SIZE, 24)))
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        end(server)


def _browser() -> Path:
    """The browser that comes with the driver's library."""
    found = sorted(_LIBRARIES.glob("*/webkit*gtk-*/MiniBrowser"))
    assert found, "no MiniBrowser beside WebKitWebDriver"
    return found[-1]
