"""The REST view of search."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from chatty.api import paging
from chatty.api.fields import StrictQuery
from conversations.api.views import ChatAPIView
from conversations.search import queries
from conversations.search.api.serializers import SearchQuery
from conversations.search.query_text import parse
from conversations.search.wire import SearchResultsOut, result_to_wire


class SearchView(ChatAPIView):
    tag = "Search"
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": SearchQuery}

    @extend_schema(operation_id="search", parameters=[SearchQuery], responses=SearchResultsOut)
    def get(self, request: Request) -> Response:
        """Search the messages of your conversations, latest first."""
        user, cursor = current_user(request), self.query.get("cursor")
        before = paging.read_id_cursor(cursor) if cursor else None
        query = parse(self.query["q"])
        page = queries.search(user, query, before=before, limit=self.query["limit"])
        older = None if page.older is None else paging.id_cursor(page.older)
        results = [result_to_wire(each) for each in page.results]
        return Response(SearchResultsOut(results, paging.next_page(request, older)))
