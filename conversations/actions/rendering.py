"""Rendering messages before any lock is taken, with a limit on the CPU time of each author."""

from __future__ import annotations

import time
from functools import partial

from chatty.common.limiter import limiter
from conversations import access, capabilities, limits, markdown
from conversations.content import Content, Rendered, excerpt_of, render
from conversations.emoji import has_names
from conversations.mentions import EVERYONE, Mentioned, calls_everyone, with_chips, with_everyone
from conversations.models import Membership, Message

# The columns that set_rendered() sets.
RENDERED_COLUMNS = ("html", "excerpt", "renderer", "mentions")


def render_for(user_id: int, content: Content) -> Rendered:
    """Render clean content, and count the milliseconds of CPU time against its author's limit.

    Plain text is free, and a short body counts as the maximum for short ones, because measuring either
    would cost more than rendering it. Each process counts separately. Raises ChatError("slow_down") when
    LIMIT_RENDERING is exceeded.
    """
    return render(content, partial(_parse_for, user_id))


def parse(body: str) -> markdown.Parts:
    """Parse a body with the custom emoji of now. These are only looked up if it seems to name one."""
    if not has_names(body):
        return markdown.render_with_parser(body)
    return markdown.render_with_parser(body, capabilities.custom_emoji().names())


def _parse_for(user_id: int, body: str) -> markdown.Parts:
    if markdown.is_quick(body):
        limiter.check_local("rendering", str(user_id), markdown.QUICK_MS)
        return markdown.render_with_parser(body)
    began = time.thread_time()
    parts = parse(body)
    limiter.check_local("rendering", str(user_id), (time.thread_time() - began) * 1000)
    return parts


def set_rendered(
    message: Message,
    rendered: Rendered,
    mentions_found: Mentioned | None,
    membership: Membership,
) -> None:
    """Set all that follows from the content of a message, whose columns of claimed parts are set.

    `membership`: of its author. Someone who has lost the right to mention everyone since can still correct a
    message that does.
    """
    if calls_everyone(rendered.calls) and (
        access.allows("mention-all", membership) or EVERYONE in (message.mentions or ())
    ):
        mentions_found = with_everyone(rendered.calls, mentions_found)
    parts = capabilities.text_of_parts(partial(getattr, message))
    message.html = rendered.html
    message.excerpt = excerpt_of(f"{rendered.text}\n{parts}") if parts else rendered.excerpt
    message.renderer, message.mentions = markdown.VERSION, None
    if mentions_found:
        message.mentions = mentions_found.ids
    if mentions_found and rendered.words:
        chips = with_chips(rendered.html, rendered.marked, rendered.words, mentions_found.names)
        if len(chips.encode()) <= limits.HTML_MAX:
            message.html = chips
