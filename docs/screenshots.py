"""Takes screenshots of every page and state of the demo, in light, dark and on a phone.

python -m docs.screenshots [folder]

Writes to `folder`, by default screenshots/, and creates the README's pictures in docs/img/ from them.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import (
    Browser,
    Error,
    Page,
    ViewportSize,
    WebSocketRoute,
    sync_playwright,
)

from tests.browser import chromium
from tests.browser.rooms import long_press
from tests.installations import Builder, ChatServer

ROOT = Path(__file__).resolve().parent.parent
README = {"desktop": "beside-members.light", "phone": "conversation.phone-dark"}
COLOURS = 128  # of the README's pictures, which keeps their files small
SIZE: ViewportSize = {"width": 1200, "height": 760}
DESKTOP = {"viewport": SIZE}
WIDE: ViewportSize = {"width": 1440, "height": 860}  # three columns
PHONE = {
    "viewport": {"width": 390, "height": 760},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {**DESKTOP, "color_scheme": "light"},
    "dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": {**PHONE, "color_scheme": "light"},
    "phone-dark": {**PHONE, "color_scheme": "dark"},
}
SETTLE = 400  # ms for animations, images and the connection
LOST = 2_500  # ms until the page shows that it is offline
TALK = "Kitchen table"
SIGNED_OUT = {
    "sign-in": "/sign-in/",
    "sign-up": "/sign-up/",
    "forgotten": "/password/forgotten/",
    "help-signed-out": "/help/",
}
PAGES = {
    "home": "/?list",
    "browse": "/c/browse/",
    "browse-nothing": "/c/browse/?q=zzz",
    "search": "/search/",
    "search-results": "/search/?q=release+from:priya",
    "search-nothing": "/search/?q=zzz",
    "new-group": "/c/new/",
    "new-direct": "/c/direct/",
    "profile": "/settings/profile/",
    "email": "/settings/email/",
    "password": "/settings/password/",
    "sign-ins": "/settings/sign-ins/",
    "notifications": "/settings/notifications/",
    "share": "/share/?text=A%20link%20worth%20reading",
    "offline": "/offline/",
    "help": "/help/",
    "help-search": "/help/?q=delete",
    "help-nothing": "/help/?q=zzz",
    "not-found": "/c/999999/",
}
OF_A_TALK = {
    "conversation": "",
    "earlier": "?around=5",
    "members": "members/",
    "settings": "settings/",
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as base,
        contextlib.closing(Builder(Path(base))) as builder,
        contextlib.closing(builder.sqlite()) as installation,
        sync_playwright() as playwright,
    ):
        found = re.search(
            r"Password for all of them: (\S+)", installation.manage("demo", "--force")
        )
        assert found, "The output of the demo has changed: no password found."
        server = installation.serve()
        # A headless shell has no notifications, so the page would not offer them.
        path = chromium.find(playwright.chromium.executable_path, whole=True)
        with playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS) as browser:
            for look, options in LOOKS.items():
                photograph(browser, server, found[1], look, options, folder)
    for name, source in README.items():
        shrink(folder / f"{source}.png", ROOT / "docs" / "img" / f"{name}.png")


def photograph(
    browser: Browser,
    server: ChatServer,
    password: str,
    look: str,
    options: dict[str, Any],
    folder: Path,
) -> None:
    def take(page: Page, name: str) -> None:
        page.wait_for_timeout(SETTLE)
        page.screenshot(path=folder / f"{name}.{look}.png")

    stranger = browser.new_context(locale="en-GB", **options).new_page()
    for name, path in SIGNED_OUT.items():
        stranger.goto(server.url + path)
        take(stranger, name)
    stranger.context.close()
    who = "tomas" if "phone" in look else "mara"
    page = visit(browser, server, f"{who}@demo.example", password, **options)
    for name, path in PAGES.items():
        page.goto(server.url + path)
        take(page, name)
    page.goto(f"{server.url}/?list")
    page.get_by_role("button", name="Not now").click()  # one screenshot of it is enough
    talk = str(page.locator(".row__link", has_text=TALK).get_attribute("href"))
    for name, path in OF_A_TALK.items():
        page.goto(server.url + talk + path)
        take(page, name)
    cut = cuttable(page)
    enter(page, server.url + talk)
    for name, bring_about in STATES.items():
        bring_about(page)
        take(page, name)
        page.keyboard.press("Escape")
    if "phone" not in look:
        page.set_viewport_size(WIDE)
        page.locator("#composer-body").fill("")
        for name in ("members", "settings"):
            page.locator(f".topbar [data-pane={name}]").click()
            page.locator(".details__body:not([aria-busy])").wait_for()
            page.locator("#timeline").evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
            take(page, f"beside-{name}")
        page.locator(".details [data-slot=close]").click()
        page.set_viewport_size(SIZE)
    cut()
    page.locator("#composer-body").fill("This waits for a connection")
    page.locator("#composer [type=submit]").click()
    page.wait_for_timeout(LOST)
    take(page, "waiting")
    page.context.close()


def visit(browser: Browser, server: ChatServer, email: str, password: str, **options: Any) -> Page:
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", **options)
    page = context.new_page()
    page.goto(f"{server.url}/sign-in/?next=/c/browse/")
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url("**/c/browse/")
    return page


def enter(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("html[data-connection=online]").wait_for(state="attached")


def cuttable(page: Page) -> Callable[[], None]:
    """Return a function that takes the page offline for good."""
    lines: list[WebSocketRoute] = []
    is_cut = False

    def connect(line: WebSocketRoute) -> None:
        if is_cut:
            line.close(code=1001)
            return
        line.connect_to_server()
        lines.append(line)

    def cut() -> None:
        nonlocal is_cut
        is_cut = True
        page.context.set_offline(True)
        for line in lines:
            with contextlib.suppress(Error):  # the page has been left
                line.close(code=1001)

    page.route_web_socket(re.compile("/ws/"), connect)
    return cut


# --- states of an open conversation: Escape must close whatever each of them opens ---------------------


def open_menu(page: Page) -> None:
    message = page.locator("#messages > .message:not(.message--deleted)").nth(-2)
    if page.evaluate("matchMedia('(hover: none)').matches"):
        long_press(message)  # "More" is for screen readers there
    else:
        message.hover()
        message.locator(".message__more").click()


def pick_reaction(page: Page) -> None:
    open_menu(page)
    page.locator(".message-menu [data-action=react]").evaluate("press => press.click()")


def reply(page: Page) -> None:
    page.locator("#messages > .message:not(.message--deleted)").nth(-2).press("r")
    page.locator("#composer-body").fill("Half a thought, *not sent yet*")


def edit_last(page: Page) -> None:
    page.locator("#composer-body").fill("")
    page.locator("#composer-body").press("ArrowUp")


def ask_to_delete(page: Page) -> None:
    page.locator("#messages > .message[data-own]:not(.message--deleted)").last.press("Delete")


def switch(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.locator(".switcher input").fill("o")


def list_keys(page: Page) -> None:
    page.locator("#timeline").press("?")


def mention_someone(page: Page) -> None:
    page.locator("#composer-body").fill("")
    page.locator("#composer-body").press_sequentially("Who is in, @")
    page.locator(".suggestions > *").first.wait_for()


STATES: dict[str, Callable[[Page], None]] = {
    "message-menu": open_menu,
    "reactions": pick_reaction,
    "reply": reply,
    "edit": edit_last,
    "delete": ask_to_delete,
    "switcher": switch,
    "shortcuts": list_keys,
    "mention": mention_someone,
}


def shrink(source: Path, target: Path) -> None:
    """Reduce a picture to a palette. It looks the same at a third of the size."""
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
            target, optimize=True
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "screenshots")
