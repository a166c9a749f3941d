"""The OpenAPI schema, and the page that shows it."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from django.conf import settings
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers

from chatty.api.base import StrictAPIView
from chatty.api.fields import StrictChoice, StrictQuery
from chatty.common.structs import Choices


class LanguageQuery(StrictQuery):
    lang = StrictChoice(Choices("Language", dict(settings.LANGUAGES)), required=False)


class SchemaQuery(LanguageQuery):
    format = StrictChoice(Choices("SchemaFormat", {"json": "JSON", "yaml": "YAML"}), required=False)


class DocsQuery(LanguageQuery):
    script = serializers.CharField(required=False, allow_blank=True)


class SharedSchemaGenerator(SchemaGenerator):
    """Generates the schema once per process and language, because it is the same for everyone.

    The lock is needed because drf-spectacular stores state in the views: two threads would corrupt
    each other's schema.
    """

    _making = threading.Lock()
    _made: ClassVar[dict[str, Any]] = {}

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        language = translation.get_language() or ""
        if language not in dict(settings.LANGUAGES):
            language = settings.LANGUAGE_CODE
        with self._making:
            if language not in self._made:
                with translation.override(language):
                    self._made[language] = super().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
            return self._made[language]


class SchemaView(StrictAPIView, SpectacularAPIView):
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": SchemaQuery}
    generator_class = SharedSchemaGenerator

    def get_renderers(self) -> list[Any]:
        """Let `?format=` override the Accept header."""
        renderers = super().get_renderers()
        asked = self.request.query_params.get("format")
        return [each for each in renderers if each.format == asked] or renderers


class DocsView(StrictAPIView, SpectacularSwaggerSplitView):
    query_serializers: ClassVar[dict[str, type[StrictQuery]]] = {"GET": DocsQuery}
    url_name = "api:schema"
    template_name = "api/docs.html"
