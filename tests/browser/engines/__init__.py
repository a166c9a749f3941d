"""Firefox and WebKitGTK as Debian ships them.

Playwright drives only the Firefox and WebKit that it has patched itself, and downloads them. These browsers
are driven by the protocols they implement: WebDriver BiDi and WebDriver. The few commands that the tests need
are written here, because geckodriver has no package, and puppeteer-core would need the steps in a second
language.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.browser.engines import firefox, webkit
from tests.browser.engines.window import Window


@dataclass(frozen=True)
class Engine:
    programs: tuple[str, ...]
    packages: str  # of Debian, which contain the programs
    open_window: Callable[[], AbstractContextManager[Window]]

    @property
    def is_installed(self) -> bool:
        return all(map(shutil.which, self.programs))


ENGINES = {
    "Firefox": Engine(firefox.PROGRAMS, "firefox-esr", firefox.open_window),
    "WebKit": Engine(webkit.PROGRAMS, "webkit2gtk-driver xvfb", webkit.open_window),
}


def describe_absent() -> str | None:
    """One line about the browsers that are not tested here."""
    absent = {name: engine for name, engine in ENGINES.items() if not engine.is_installed}
    if not absent or "PYTEST_XDIST_WORKER" in os.environ:
        return None
    packages = " ".join(engine.packages for engine in absent.values())
    return f"WARNING: nothing is tested in {' and '.join(absent)} here: apt-get install {packages}"
