"""What moves on a page by itself: layout shifts, as the browser measures them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

SHIFT_MAX = 0.02

# An initial script. It also sees those just after a key, which the score of a page leaves out.
WATCH_SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
            const moved = entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName);
            window.shifts.push({ value: entry.value, moved });
        }
    }).observe({ type: "layout-shift", buffered: true });
"""


def since_last(page: Page) -> list[dict[str, Any]]:
    """The layout shifts since this was last called: `value`, and the ids or names of what `moved`."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    found: list[dict[str, Any]] = page.evaluate("window.shifts.splice(0)")
    print(found)
    return found
