"""Find a Chromium: on PATH, else Playwright's, else Debian's package.

The headless shell has the same engine as the full browser, and pages load in half the time. Tests of
notifications and installing need the full browser.
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
# Disables background requests: tests connect only to 127.0.0.1.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Also saves processes: no spare renderer, no separate GPU process.
    "--disable-features=OptimizationHints,MediaRouter,SpareRendererForSitePerProcess,LocalNetworkAccessChecks",
    "--in-process-gpu",
    # The pages of a test share compiled scripts.
    "--renderer-process-limit=1",
]


class NoChromiumError(Exception):
    """Raised rather than skipping: browser tests that cannot run must not look as if they passed."""


def find(playwrights_own: str, *, whole: bool = False) -> str:
    """Return the path of a Chromium, installing one if necessary. Raises NoChromiumError.

    Prefers the headless shell unless `whole` is set.
    """
    if chosen := os.environ.get("CHROMIUM"):
        return chosen
    names = _WHOLE if whole else (*_SHELL, *_WHOLE)
    # Test workers start at the same time: one installs it, the others wait and then find it.
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
        _run(["apt-get", "update"])  # a new machine has no package lists yet
        _run(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
    return _on_path(names)


def _run(command: list[str]) -> None:
    """Run an installation command. Errors are ignored, since the caller looks for the browser again."""
    print("Installing a browser:", " ".join(command), file=sys.stderr)
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, check=False, timeout=300)


def _give_up() -> str:
    raise NoChromiumError(
        "No Chromium on PATH, none of Playwright's, and none could be installed. Install one "
        "(apt-get install chromium) or say where it is: CHROMIUM=/path/to/chromium"
    )
