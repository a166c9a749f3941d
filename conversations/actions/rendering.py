"""Rendering what a person wrote, before any lock is taken, and counting what it costs them."""

from __future__ import annotations

import time

from chatty.common.limiter import limiter
from conversations import markdown


def render_for(user_id: int, body: str) -> str:
    """Return the HTML of a clean body, and charge the milliseconds of CPU it takes to its author.

    Plain text is free, and a short body counts as the most it can take: to measure either would cost
    more than rendering it. Counted in this process alone. Raises ChatError("slow_down") when they have
    used up what LIMIT_RENDERING allows.
    """
    html = markdown.render_without_parser(body)
    if html is not None:
        return html
    if markdown.is_quick(body):
        limiter.check_local("rendering", str(user_id), markdown.QUICK_MS)
        return markdown.render_with_parser(body)
    began = time.thread_time()
    html = markdown.render_with_parser(body)
    limiter.check_local("rendering", str(user_id), (time.thread_time() - began) * 1000)
    return html
