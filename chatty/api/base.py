"""The base class of all API endpoints."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.views import APIView

from chatty.api.fields import StrictQuery, StrictSerializer
from chatty.common.errors import ChatError
from chatty.common.numbers import NUMBER_MAX


class StrictAPIView(APIView):
    """Rejects ids that are out of range, unknown query parameters and unexpected fields.

    `query_serializers` maps a method to the serializer of its query string; by default no parameters
    are accepted. The validated parameters are in `self.query`. Methods in `without_body` accept no
    fields; the other views validate request.data themselves.
    """

    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {}
    without_body: ClassVar[frozenset[str]] = frozenset({"DELETE"})

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """As DRF does. Parsing media types takes 0.1 ms, and nearly every client accepts JSON or all."""
        accepted = request.META.get("HTTP_ACCEPT", "*/*")
        if accepted in ("*/*", "application/json"):
            renderers = self.get_renderers()
            if len(renderers) == 1 and renderers[0].media_type == "application/json":
                return renderers[0], "application/json"
        return super().perform_content_negotiation(request, force)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # No row has such an id, and the database raises an error for it.
        if any(isinstance(value, int) and value > NUMBER_MAX for value in kwargs.values()):
            raise ChatError("not_found")
        method = "GET" if request.method == "HEAD" else request.method or ""
        query = self.query_serializers.get(method, StrictQuery)(data=request.query_params)
        query.is_valid(raise_exception=True)
        self.query: dict[str, Any] = query.validated_data
        if (
            method in self.without_body and request.data is not None
        ):  # a body of null is as good as none
            StrictSerializer(data=request.data).is_valid(raise_exception=True)
