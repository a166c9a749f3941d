"""`python -m benchmarks.lighthouse`: Lighthouse scores of the pages on a phone, as Markdown.

Starts a temporary Chatty with the demo's data, served as in production, on this machine. A person signs
in with Chromium. In that browser Lighthouse (from npm, by npx) loads the pages with empty caches, and
simulates a slow phone. The table also has the transferred size of each page.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.__main__ import circumstances
from proof.services import free_port
from tests.browser import chromium
from tests.installations import Builder, ChatServer

LIGHTHOUSE = "lighthouse@12.8.2"
CATEGORIES = ("performance", "accessibility", "best-practices")
TIMINGS = {
    "first-contentful-paint": "first words",
    "largest-contentful-paint": "largest part",
    "total-blocking-time": "blocked",
    "cumulative-layout-shift": "shift",
}
MOVED = ("Document", "Stylesheet", "Script", "Fetch", "XHR", "Manifest", "Other", "Font")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lighthouse", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="Rounds for the medians. Default: 5.")
    parser.add_argument("--keep", type=Path, help="A folder for Lighthouse's own reports.")
    options = parser.parse_args(arguments)
    npx = shutil.which("npx")
    if npx is None:
        sys.exit("Lighthouse needs Node: npx is not on PATH.")
    about = circumstances()
    print(f"- {about['date']}, commit {about['commit']}, medians of {options.rounds} rounds")
    print(f"- {about['machine']}; {LIGHTHOUSE}, phone preset\n")
    heads = ["page", *CATEGORIES, *TIMINGS.values(), "on the wire", "of it scripts", "unpacked"]
    print("| " + " | ".join(heads) + " |\n| --- |" + " ---: |" * (len(heads) - 1), flush=True)
    good = True
    with (
        tempfile.TemporaryDirectory(prefix="chatty-lighthouse-") as base,
        closing(Builder(Path(base))) as builder,
        closing(builder.sqlite()) as installation,
    ):
        server = installation.serve()
        for name, url, port in places(server, Path(base)):
            reports = [report(npx, url, port, base) for _ in range(options.rounds)]
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                kept = json.dumps(reports[-1])
                (options.keep / f"{name.replace(' ', '-')}.json").write_text(kept)
            print(row(name, reports), flush=True)
            good &= score(reports, "performance") >= 98
            good &= all(score(reports, each) == 100 for each in CATEGORIES[1:])
    return 0 if good else 1


def places(server: ChatServer, base: Path) -> Iterator[tuple[str, str, int]]:
    """Yield each page's name and URL, with the debugging port of a browser that has access to it."""
    printed = server.manage("demo")
    password = re.search(r"Password for all of them: (\S+)", printed)
    assert password, printed
    with browser(base / "stranger") as (_, port):
        yield "sign-in", f"{server.url}/sign-in/", port
    with browser(base / "mara") as (context, port):
        page = context.pages[0]
        page.goto(f"{server.url}/sign-in/?next=/%3Flist")
        page.locator("input[name=email]").fill("mara@demo.example")
        page.locator("input[name=password]").fill(password[1])
        page.locator("input[name=password]").press("Enter")
        path = page.locator("#conversations .row__link", has_text="Town square").get_attribute(
            "href"
        )
        page.goto(f"{server.url}{path}")
        shown = page.locator("#messages > .message, #messages > .notice").count()
        page.goto("about:blank")
        yield f"conversation of {shown}", f"{server.url}{path}", port


@contextmanager
def browser(profile: Path) -> Iterator[tuple[Any, int]]:
    """Start a Chromium with its own profile. Lighthouse controls it through the port."""
    port = free_port()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium.find(playwright.chromium.executable_path, whole=True),
            args=[*chromium.ARGUMENTS, f"--remote-debugging-port={port}"],
        )
        try:
            yield context, port
        finally:
            context.close()


def report(npx: str, url: str, port: int, base: str) -> dict[str, Any]:
    """Run Lighthouse once. It clears the caches first, but not the cookies."""
    path = Path(base) / "report.json"
    path.unlink(missing_ok=True)
    command = [npx, "--yes", LIGHTHOUSE, url, f"--port={port}", "--quiet", "--output=json"]
    command += [f"--only-categories={','.join(CATEGORIES)}", f"--output-path={path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert path.exists(), done.stderr
    found: dict[str, Any] = json.loads(path.read_text())
    assert "runtimeError" not in found, found["runtimeError"]
    assert found["finalDisplayedUrl"] == url, found["finalDisplayedUrl"]
    return found


def score(reports: list[dict[str, Any]], category: str) -> int:
    found = [float(each["categories"][category]["score"]) for each in reports]
    return round(100 * statistics.median(found))


def row(name: str, reports: list[dict[str, Any]]) -> str:
    cells = [name, *(str(score(reports, category)) for category in CATEGORIES)]
    for audit in TIMINGS:
        value = statistics.median(each["audits"][audit]["numericValue"] for each in reports)
        cells.append(f"{value:.3f}" if "shift" in audit else f"{value:,.0f} ms")
    last = reports[-1]["audits"]["network-requests"]["details"]["items"]
    moved = [each for each in last if each.get("resourceType") in MOVED]
    scripts = [each for each in moved if each["resourceType"] == "Script"]
    cells += [kilobytes(moved, "transferSize"), kilobytes(scripts, "transferSize")]
    cells.append(kilobytes(moved, "resourceSize"))
    return "| " + " | ".join(cells) + " |"


def kilobytes(requests: list[dict[str, Any]], size: str) -> str:
    return f"{sum(each[size] for each in requests) / 1000:.1f} KB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
