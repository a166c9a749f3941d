"""Browser contexts that later tests use again.

Loading a conversation in a new context takes three times as much processor time as in one that has loaded
one before. Only contexts without traces are used again: see _LEAVES_TRACES.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

_KEPT = 6  # unused contexts per test worker; each needs a renderer process
# What the next test would notice, and what cannot be undone or is not worth it.
_LEAVES_TRACES = {
    BrowserContext: (
        *("add_init_script", "expose_binding", "expose_function", "grant_permissions"),
        *("new_cdp_session", "new_page", "on", "once", "route", "route_web_socket"),
        *("set_extra_http_headers", "set_geolocation", "set_offline"),
    ),
    Page: (
        *("add_init_script", "close", "emulate_media", "expose_binding", "expose_function"),
        *("on", "once", "route", "route_web_socket", "set_extra_http_headers"),
        *("set_viewport_size",),
    ),
}
_FORGET = """async () => {
    localStorage.clear();
    sessionStorage.clear();
    for (const { name } of await indexedDB.databases()) {
        await new Promise((resolve, reject) => {
            const request = indexedDB.deleteDatabase(name);
            request.onsuccess = resolve;
            request.onerror = request.onblocked = reject;
        });
    }
}"""
_traced: weakref.WeakSet[BrowserContext] = weakref.WeakSet()
_keys: weakref.WeakKeyDictionary[BrowserContext, str] = weakref.WeakKeyDictionary()


def notice_traces() -> None:
    """Make Playwright's objects remember which contexts have been changed for good. Call it once."""
    for owner, names in _LEAVES_TRACES.items():
        for name in names:
            setattr(owner, name, _noticing(getattr(owner, name)))
        owner.clock = property(_noticing(owner.clock.fget))


def _noticing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: BrowserContext | Page, *args: Any, **options: Any) -> Any:
        _traced.add(self if isinstance(self, BrowserContext) else self.context)
        return method(self, *args, **options)

    return call


class ContextPool:
    """Contexts that may be used again, each with one page, by their options."""

    def __init__(self) -> None:
        self._unused: list[tuple[str, BrowserContext]] = []

    def take(self, browser: Browser, **options: Any) -> tuple[BrowserContext, Page]:
        """Return a context with these options and its page."""
        key = repr((id(browser), sorted(options.items())))
        for index, (each, unused) in enumerate(self._unused):
            if each == key:
                context = unused
                del self._unused[index]
                break
        else:
            context = browser.new_context(**options)
            context.new_page()
            _keys[context] = key
        return context, context.pages[0]

    def give_back(self, context: BrowserContext, url: str) -> None:
        """`url`: the address of the server whose pages it has shown. Closes what cannot be used again."""
        if context in _traced or not self._forget(context, url):
            context.close()
            return
        self._unused.append((_keys[context], context))
        if len(self._unused) > _KEPT:
            _key, oldest = self._unused.pop(0)
            oldest.close()

    def _forget(self, context: BrowserContext, url: str) -> bool:
        """Remove everything that a person leaves. Returns False if that fails, as when the server is gone."""
        try:
            (page,) = context.pages
            page.mouse.move(0, 0)
            page.goto(url + "/healthz")  # a page without scripts
            page.evaluate(_FORGET)
            page.goto("about:blank")
            context.clear_cookies()
        except (PlaywrightError, ValueError):
            return False
        return True


def start_unmarked(context: BrowserContext) -> None:
    """What has been done to the context so far leaves no traces."""
    _traced.discard(context)
