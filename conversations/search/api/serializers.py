"""Request formats of the API of search."""

from __future__ import annotations

from chatty.api.fields import QueryCursor, QueryInt, StrictQuery, StrictText
from conversations.search.queries import PAGE_MAX, PAGE_SIZE


class SearchQuery(StrictQuery):
    q = StrictText(
        help_text='Words, "phrases" and the filters `from:`, `in:`, `before:`, `after:`, `mentions:me` and '
        "`has:file` (or `image`, `audio`, `video`, `text`)."
    )
    cursor = QueryCursor()
    limit = QueryInt(default=PAGE_SIZE, max_value=PAGE_MAX, help_text="Per page.")
