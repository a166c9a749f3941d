"""What moves on a page by itself: layout shifts, as the browser measures them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

SHIFT_MAX = 0.02

# An initial script. It also sees those just after a key, which the score of a page leaves out.
WATCH_SHIFTS = """
    window.shifts = [];
    const note = (entries) => {
        for (const entry of entries) {
            const moved = entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName);
            window.shifts.push({ value: entry.value, moved });
        }
    };
    window.watching = new PerformanceObserver((list) => note(list.getEntries()));
    window.watching.observe({ type: "layout-shift", buffered: true });
    window.takeShifts = async () => {
        // The first frame draws what has changed until now; before the second, its shifts are known.
        for (let n = 0; n < 2; n += 1) await new Promise(requestAnimationFrame);
        note(window.watching.takeRecords());
        return window.shifts.splice(0);
    };
"""


def since_last(page: Page) -> list[dict[str, Any]]:
    """The layout shifts since this was last called: `value`, and the ids or names of what `moved`."""
    found: list[dict[str, Any]] = page.evaluate("window.takeShifts()")
    print(found)
    return found
