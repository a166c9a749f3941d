"""Makes the README's pictures anew: a Chatty of its own, the demo's month of talk, a real browser.

python -m docs.screenshots
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import chromium
from tests.houses import Builder, ChatServer

PICTURES = Path(__file__).resolve().parent / "img"
DESKTOP = {"viewport": {"width": 1200, "height": 760}}
PHONE = {
    "viewport": {"width": 390, "height": 760},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as base,
        contextlib.closing(Builder(Path(base))) as builder,
        contextlib.closing(builder.sqlite()) as house,
        sync_playwright() as playwright,
    ):
        found = re.search(r"Password of each: (\S+)", house.manage("demo", "--force"))
        assert found, "The demo tells its password in other words than it did."
        server = house.serve()
        path = chromium.find(playwright.chromium.executable_path)
        with playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS) as browser:
            photograph(browser, server, found[1])


def photograph(browser: Browser, server: ChatServer, password: str) -> None:
    desktop = visit(browser, server, "mara@demo.example", password, **DESKTOP)
    enter(desktop, "Kitchen table")
    phone = visit(browser, server, "tomas@demo.example", password, color_scheme="dark", **PHONE)
    enter(phone, "Kitchen table")
    for name, page in (("desktop", desktop), ("phone", phone)):
        page.screenshot(path=PICTURES / f"{name}.png")


def visit(
    browser: Browser, server: ChatServer, email: str, password: str, **options: object
) -> Page:
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", **options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server.url}/sign-in/?next=/c/browse/")
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url("**/c/browse/")
    return page


def enter(page: Page, name: str) -> None:
    href = page.get_by_role("link", name=name).first.get_attribute("href")
    page.goto(page.url.partition("/c/")[0] + str(href))
    page.locator("html[data-line=online]").wait_for(state="attached")


if __name__ == "__main__":
    main()
