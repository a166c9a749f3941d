"""What a test does in a window, whatever the browser: see Window."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from typing import Any

PATIENCE = 20  # seconds
SIZE = (1280, 800)

# The private characters by which WebDriver names keys.
_KEYS = {
    "ArrowUp": "\ue013",
    "Backspace": "\ue003",
    "Control": "\ue009",
    "End": "\ue010",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "Shift": "\ue008",
}
_CENTRE = """
const element = document.querySelector(arguments[0]);
if (!element) return null;
element.scrollIntoView({ block: "nearest" });
const { x, y, width, height } = element.getBoundingClientRect();
const at = [Math.round(x + width / 2), Math.round(y + height / 2)];
return width && element.contains(document.elementFromPoint(...at)) ? at : null;
"""
_FIND = """
const found = [...document.querySelectorAll(arguments[0])].find(
    (each) => each.getClientRects().length && (each.innerText ?? "").includes(arguments[1]),
);
"""


class EngineError(Exception):
    """The browser rejected a command."""


class Window(ABC):
    """One window with its own profile. Actions are real ones, with keys and a pointer.

    Scripts passed to it are bodies of functions, with their arguments in `arguments`. A returned promise is
    awaited.
    """

    @abstractmethod
    def goto(self, url: str) -> None:
        """Open an address and wait until its page has loaded."""

    @abstractmethod
    def reload(self) -> None: ...

    @abstractmethod
    def evaluate(self, script: str, *arguments: Any) -> Any:
        """Return the result, which is plain JSON."""

    @abstractmethod
    def perform(self, actions: list[dict[str, Any]]) -> None:
        """Perform WebDriver's "actions", whose format both protocols share."""

    @abstractmethod
    def errors(self) -> list[str]:
        """What the browser logged as errors so far."""

    @abstractmethod
    def screenshot(self) -> bytes: ...

    def wait(self, script: str, *arguments: Any) -> Any:
        """Wait until the script returns something true, also across navigation. Return it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = self.evaluate(script, *arguments)
            except EngineError as error:  # such as of a page that is just being replaced
                found, failure = None, str(error)
            else:
                failure = repr(found)
            if found:
                return found
            assert time.monotonic() < deadline, f"{script} {arguments}: {failure}"
            time.sleep(0.02)

    def see(self, selector: str, text: str = "") -> str:
        """Wait for an element that is shown, with this text in it. Return its whole text."""
        return str(
            self.wait(_FIND + "return found && (found.innerText.trim() || ' ')", selector, text)
        )

    def press(self, keys: str) -> None:
        """Press a key, such as "Enter" or "Control+k"."""
        names = [_KEYS.get(name, name) for name in re.split(r"(?<=.)\+", keys)]
        down = [{"type": "keyDown", "value": name} for name in names]
        up = [{"type": "keyUp", "value": name} for name in reversed(names)]
        self.perform([{"type": "key", "id": "keys", "actions": [*down, *up]}])

    def type(self, text: str) -> None:
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.perform([{"type": "key", "id": "keys", "actions": actions}])

    def hover(self, selector: str) -> None:
        self._point(selector, [])

    def click(self, selector: str) -> None:
        """Click the middle of an element, once it is in view and nothing covers it."""
        self._point(
            selector, [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        )

    def _point(self, selector: str, then: list[dict[str, Any]]) -> None:
        x, y = self.wait(_CENTRE, selector)
        move = {"type": "pointerMove", "x": x, "y": y, "duration": 0}
        pointer = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self.perform([{**pointer, "actions": [move, *then]}])


def end(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
