"""Rendering Markdown before any lock is taken, with a limit on the CPU time of each author."""

from __future__ import annotations

import time

from chatty.common.limiter import limiter
from conversations import markdown


def render_for(user_id: int, body: str) -> str:
    """Return the HTML of a clean body, and count the milliseconds of CPU time against its author's limit.

    Plain text is free, and a short body counts as the maximum for short ones, because measuring either
    would cost more than rendering it. Each process counts separately. Raises ChatError("slow_down") when
    LIMIT_RENDERING is exceeded.
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
