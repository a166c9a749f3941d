"""REST views of uploads."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from conversations.api.views import ChatAPIView, validated_body
from conversations.attachments import limits, wire
from conversations.attachments.actions import uploading
from conversations.attachments.api import serializers

_PIECE_TYPE = "application/octet-stream"
_CHUNK = 64 * 1024
_OFFSET = OpenApiParameter(
    "Upload-Offset",
    OpenApiTypes.INT,
    "header",
    required=True,
    description="Where the piece begins: the bytes that have arrived before.",
)
_OFFSETS = [
    OpenApiParameter(
        name, OpenApiTypes.INT, "header", response=[200, 204, 409], description=description
    )
    for name, description in (
        ("Upload-Offset", "Bytes that have arrived."),
        ("Upload-Length", "The size of the whole file."),
    )
]


class PieceParser(BaseParser):
    media_type = _PIECE_TYPE

    def parse(  # type: ignore[override]  # the stubs only know parsed forms and JSON
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> list[bytes]:
        """Return the chunks of the piece: see chatty/server/spooling.py."""
        chunks: list[bytes] = []
        left = limits.PIECE_MAX + 1
        while left and (chunk := stream.read(min(left, _CHUNK))):
            chunks.append(chunk)
            left -= len(chunk)
        return chunks


class UploadsView(ChatAPIView):
    tag = "Uploads"

    @extend_schema(
        operation_id="uploads_create",
        request=serializers.NewUpload,
        responses={201: wire.UploadOut, 200: wire.UploadOut},
    )
    def post(self, request: Request) -> Response:
        """Announce an upload (201). If the key was used before, return that upload as it is now (200)."""
        given = validated_body(request, serializers.NewUpload)
        file, created = uploading.begin(
            current_user(request),
            key=given["key"],
            name=given["name"],
            size=given["size"],
        )
        body = wire.upload_to_wire(file, 0 if created else uploading.offset_of(file))
        return Response(body, status.HTTP_201_CREATED if created else status.HTTP_200_OK)


class UploadView(ChatAPIView):
    tag = "Uploads"

    def get_parsers(self) -> list[Any]:
        return (
            [PieceParser()]
            if self.request and self.request.method == "PATCH"
            else super().get_parsers()
        )

    def check_throttles(self, request: Request) -> None:
        if request.method != "PATCH" or not request.user.is_authenticated:
            super().check_throttles(request)
            return
        limiter.check_local("pieces", str(request.user.pk))

    @extend_schema(operation_id="uploads_get", parameters=_OFFSETS, responses={200: wire.UploadOut})
    def get(self, request: Request, upload: str) -> Response:
        """Find out how far an upload is. HEAD says it in headers."""
        file = uploading.find(current_user(request), upload)
        offset = uploading.offset_of(file)
        headers = {"Upload-Offset": str(offset), "Upload-Length": str(file.size)}
        return Response(wire.upload_to_wire(file, offset), headers=headers)

    @extend_schema(
        operation_id="uploads_add",
        parameters=[_OFFSET, *_OFFSETS],
        request={_PIECE_TYPE: OpenApiTypes.BINARY},
        responses={204: OpenApiResponse(description="The bytes are stored.")},
    )
    def patch(self, request: Request, upload: str) -> Response:
        """Add the next bytes, at most 1 MiB. If the offset is wrong (409), the response says the right one.
        After the last byte, the file is examined. An empty piece repeats that, if it failed."""
        piece = self._piece(request)
        try:
            offset = uploading.add_piece(current_user(request), upload, _offset_of(request), *piece)
        except uploading.WrongOffsetError as error:
            headers = {"Upload-Offset": str(error.offset)}
            return Response(error.as_dict(), error.status, headers=headers)
        finally:
            # The request refers to itself, so it and its bytes would stay until the next garbage collection.
            piece.clear()
        return Response(status=status.HTTP_204_NO_CONTENT, headers={"Upload-Offset": str(offset)})

    @staticmethod
    def _piece(request: Request) -> list[bytes]:
        try:
            piece = request.data
        except UnsupportedMediaType:
            if request._request.META.get("CONTENT_LENGTH") not in (None, "", "0"):
                raise ChatError("unsupported_media", f"Send {_PIECE_TYPE}.") from None
            return []
        if not isinstance(piece, list):  # there was no body
            return []
        if sum(map(len, piece)) > limits.PIECE_MAX:
            raise ChatError("too_big")
        return piece

    @extend_schema(operation_id="uploads_delete", responses={204: None})
    def delete(self, request: Request, upload: str) -> Response:
        """Give up an upload that no message has."""
        uploading.give_up(current_user(request), upload)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _offset_of(request: Request) -> int:
    text = request.headers.get("Upload-Offset", "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ChatError("invalid", fields={"Upload-Offset": ["Expected a number."]})
    return int(text)
