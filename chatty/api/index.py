"""GET /api/: where everything is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated

import msgspec
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from chatty.api.base import StrictAPIView

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


class IndexOut(msgspec.Struct, frozen=True):
    """Where everything is."""

    documentation: str
    schema: Annotated[str, msgspec.Meta(description="The OpenAPI description of all endpoints.")]
    socket: Annotated[str, msgspec.Meta(description="Open a WebSocket here for live events.")]
    endpoints: Annotated[
        dict[str, str],
        msgspec.Meta(
            description="URLs by name. Replace what is in braces by an id or value. OPTIONS returns the "
            "methods of each."
        ),
    ]


class IndexView(StrictAPIView):
    tag = "Overview"
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(operation_id="index", responses=IndexOut, auth=[])
    def get(self, request: Request) -> Response:
        """Find everything: the endpoints, the WebSocket, and their description."""
        root = request.build_absolute_uri("/").removesuffix("/")
        socket = re.sub("^http", "ws", root) + "/ws/"
        endpoints = {name: root + path for name, path in _endpoints()}
        return Response(
            IndexOut(root + reverse("api:docs"), root + reverse("api:schema"), socket, endpoints)
        )


@cache
def _endpoints() -> list[tuple[str, str]]:
    return sorted(_walk(get_resolver("chatty.api.urls").url_patterns, reverse("api:index")))


def _walk(patterns: Sequence[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, str]]:
    for each in patterns:
        path = before + _PARAMETER.sub(r"{\1}", str(each.pattern))
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns, path)
        elif each.name:
            yield each.name, path
