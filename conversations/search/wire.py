"""Results as JSON."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chatty.common.structs import NextPage
from conversations.search.matching import ExcerptPart
from conversations.search.queries import SearchResult
from conversations.wire import MessageOut, message_to_wire


class SearchResultOut(msgspec.Struct, frozen=True):
    """A message that was found."""

    message: MessageOut
    excerpt: Annotated[
        list[ExcerptPart],
        msgspec.Meta(description="The part of its text around the first hit, as one line."),
    ]


class SearchResultsOut(msgspec.Struct, frozen=True):
    """A page of results, latest first. A page can be empty or short and still have a next one: then there
    are older messages that were not searched yet."""

    results: list[SearchResultOut]
    next: NextPage


def result_to_wire(result: SearchResult) -> SearchResultOut:
    return SearchResultOut(message_to_wire(result.message), result.excerpt)
