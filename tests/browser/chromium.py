"""Finds a Chromium: one on PATH, else Playwright's, else Debian's package.

The headless shell is the same engine without the rest of a browser: pages load in half the time. What
needs the rest (notifications, installing) asks for the whole one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_WHOLE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SHELL = ("chromium-headless-shell", "chrome-headless-shell")
# No news, no updates, no accounts: a test talks to 127.0.0.1 and nobody else.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nor a renderer started in advance for a page that never comes, nor a process for graphics alone.
    "--disable-features=OptimizationHints,MediaRouter,SpareRendererForSitePerProcess",
    "--in-process-gpu",
]


class NoChromiumError(Exception):
    """The browser tests cannot run, and must not look as if they had passed."""


def find(playwrights_own: str, *, whole: bool = False) -> str:
    """The path of a Chromium, installed first where there is none. Raises NoChromiumError.

    Without `whole`, the headless shell where there is one.
    """
    if chosen := os.environ.get("CHROMIUM"):
        return chosen
    names = _WHOLE if whole else (*_SHELL, *_WHOLE)
    # Test workers start together: one installs, the others wait and find what it installed.
    with (Path(tempfile.gettempdir()) / f"chatty-chromium-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return (
            _on_path(names)
            or _existing(playwrights_own)
            or _installed_by_playwright(playwrights_own)
            or _installed_by_apt(names)
            or _give_up()
        )


def _on_path(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def _existing(path: str) -> str | None:
    return path if Path(path).exists() else None


def _installed_by_playwright(path: str) -> str | None:
    _run([sys.executable, "-m", "playwright", "install", "chromium"])
    return _existing(path)


def _installed_by_apt(names: tuple[str, ...]) -> str | None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update"])  # a new machine has no list of packages yet
        _run(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
    return _on_path(names)


def _run(command: list[str]) -> None:
    """Try to install; what became of it is seen by looking for the browser again."""
    print("Installing a browser:", " ".join(command), file=sys.stderr)
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, check=False, timeout=300)


def _give_up() -> str:
    raise NoChromiumError(
        "No Chromium on PATH, none of Playwright's, and none could be installed. Install one "
        "(apt-get install chromium) or say where it is: CHROMIUM=/path/to/chromium"
    )
