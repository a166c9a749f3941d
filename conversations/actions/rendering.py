"""Rendering messages before any lock is taken, with a limit on the CPU time of each author."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from conversations import access, capabilities, limits, markdown
from conversations.content import Content, Rendered, excerpt_of, render
from conversations.emoji import has_names
from conversations.mentions import EVERYONE, Mentioned, calls_everyone, with_chips, with_everyone
from conversations.models import Membership, Message

# The columns that set_rendered() sets.
RENDERED_COLUMNS = ("html", "excerpt", "renderer", "mentions")

_TOO_OFTEN = _("You’ve notified everyone too often. Leave out @all, or try again in {minutes} min.")


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


def add_everyone(
    found: Mentioned | None,
    calls: Sequence[str],
    membership: Membership,
    *,
    before: Sequence[int] | None = None,
) -> Mentioned | None:
    """Return who a message mentions, with everyone if there is an "@all" and its author may use it.

    `found`: the members it mentions by name. `membership`: of its author. `before`: its mentions before it
    was edited. Someone who has lost the right since can still correct a message that mentions everyone.

    Each process counts separately, because waiting for Redis would keep the conversation locked. Raises
    ChatError("too_many") when LIMIT_MENTIONS_ALL is exceeded. Not "slow_down": clients would hold back the
    message, and all that are written after it, for minutes.
    """
    if not calls_everyone(calls):
        return found
    mentioned_everyone = EVERYONE in (before or ())
    if not mentioned_everyone and not access.allows("mention-all", membership):
        return found
    with_all = with_everyone(calls, found)
    if with_all and EVERYONE in with_all.ids and not mentioned_everyone:
        _count_everyone(membership.user_id)
    return with_all


def _count_everyone(user_id: int) -> None:
    try:
        limiter.check_local("mentions_all", str(user_id))
    except ChatError as error:
        minutes = math.ceil((error.retry_after or 0) / 60)
        detail = format_lazy(_TOO_OFTEN, minutes=minutes)
        raise ChatError("too_many", detail, retry_after=error.retry_after) from None


def set_rendered(message: Message, rendered: Rendered, mentions_found: Mentioned | None) -> None:
    """Set all that follows from the content of a message, whose columns of claimed parts are set.

    `mentions_found`: see add_everyone().
    """
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
