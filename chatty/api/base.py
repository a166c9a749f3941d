"""What every endpoint of the API shares."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.views import APIView

from chatty.api.fields import StrictQuery, StrictSerializer
from chatty.common.errors import ChatError
from chatty.common.numbers import NUMBER_MAX


class StrictAPIView(APIView):
    """The base of every endpoint: numbers in the path fit, and nothing unknown is passed over.

    `query_serializers` names what a method takes in the query string, by default nothing; `asked` holds it.
    Methods in `without_body` take no fields. The others check request.data themselves.
    """

    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {}
    without_body: ClassVar[frozenset[str]] = frozenset({"DELETE"})

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # No row has such an id, and no database could even be asked for it.
        if any(isinstance(value, int) and value > NUMBER_MAX for value in kwargs.values()):
            raise ChatError("not_found")
        method = "GET" if request.method == "HEAD" else request.method or ""
        query = self.query_serializers.get(method, StrictQuery)(data=request.query_params)
        query.is_valid(raise_exception=True)
        self.query: dict[str, Any] = query.validated_data
        if method in self.without_body and request.data is not None:  # null is nothing, too
            StrictSerializer(data=request.data).is_valid(raise_exception=True)
