"""Firefox, through WebDriver BiDi: commands and events as JSON over a WebSocket that it opens itself."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websockets.sync.client

from tests.browser.engines.window import PATIENCE, SIZE, EngineError, Window, end

PROGRAMS = ("firefox-esr",)
# Nothing is requested from anywhere else, nothing is asked, and no page is restored.
_PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "intl.accept_languages": "en-GB, en",
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    # A mouse, which can hover: a machine without a screen has none.
    "ui.allPointerCapabilities": 6,
    "ui.primaryPointerCapabilities": 6,
}
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class _Firefox(Window):
    def __init__(self, socket: websockets.sync.client.ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._errors: list[str] = []
        self._command("session.new", capabilities={})
        self._command("session.subscribe", events=["log.entryAdded"])
        (first,) = self._command("browsingContext.getTree")["contexts"]
        self._page = first["context"]
        self._resize()

    def goto(self, url: str) -> None:
        self._command("browsingContext.navigate", context=self._page, url=url, wait="complete")

    def reload(self) -> None:
        self._command("browsingContext.reload", context=self._page, wait="complete")

    def evaluate(self, script: str, *arguments: Any) -> Any:
        # Results are sent as JSON: BiDi describes every value with its type.
        source = f"""async function (given) {{
            const run = function () {{ {script} }};
            return JSON.stringify(await run.apply(null, JSON.parse(given)) ?? null);
        }}"""
        given = [{"type": "string", "value": json.dumps(arguments)}]
        answer = self._command(
            "script.callFunction",
            functionDeclaration=source,
            arguments=given,
            awaitPromise=True,
            target={"context": self._page},
        )
        if answer["type"] == "exception":
            raise EngineError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def perform(self, actions: list[dict[str, Any]]) -> None:
        self._command("input.performActions", context=self._page, actions=actions)

    def errors(self) -> list[str]:
        self.evaluate("")  # the events before its answer have arrived
        return self._errors

    def screenshot(self) -> bytes:
        shot = self._command("browsingContext.captureScreenshot", context=self._page)
        return base64.b64decode(shot["data"])

    def close(self) -> None:
        self._command("browser.close")

    def _resize(self) -> None:
        width, height = SIZE
        viewport = {"width": width, "height": height}
        self._command("browsingContext.setViewport", context=self._page, viewport=viewport)

    def _command(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            frame = json.loads(self._socket.recv(timeout=2 * PATIENCE))
            if frame.get("id") == number:
                break
            entry = frame.get("params", {})
            if frame.get("method") == "log.entryAdded" and entry["level"] == "error":
                self._errors.append(str(entry["text"]))
        if frame["type"] == "error":
            raise EngineError(f"{method}: {frame['error']}: {frame['message']}")
        return frame["result"]


@contextlib.contextmanager
def open_window() -> Iterator[Window]:
    with tempfile.TemporaryDirectory(prefix="chatty-firefox-", ignore_cleanup_errors=True) as given:
        profile = Path(given)
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in _PREFERENCES.items())
        (profile / "user.js").write_text("".join(lines))
        log = profile / "log.txt"
        command = [*PROGRAMS, "--headless", "--no-remote", "--remote-debugging-port", "0"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--profile", given],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TZ": "UTC"},
            )
        try:
            url = f"{_address(log, process)}/session"
            with websockets.sync.client.connect(url, max_size=None, proxy=None) as socket:
                window = _Firefox(socket)
                yield window
                window.close()
        finally:
            end(process)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 4 * PATIENCE
    while not (found := _LISTENING.search(log.read_text(errors="replace"))):
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.05)
    return found[1]
