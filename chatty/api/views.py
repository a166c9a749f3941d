"""The address of the OpenAPI description."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from django.conf import settings
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView


class SharedSchemaGenerator(SchemaGenerator):
    """Makes the description once per process and language: it is the same for everybody, and
    drf-spectacular keeps state in its views while it works, so that two at once spoil each other's."""

    _making = threading.Lock()
    _made: ClassVar[dict[str, Any]] = {}

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        language = translation.get_language() or ""
        if language not in dict(settings.LANGUAGES):  # ?lang= takes anything
            language = settings.LANGUAGE_CODE
        with self._making:
            if language not in self._made:
                with translation.override(language):
                    self._made[language] = super().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
            return self._made[language]


class SchemaView(SpectacularAPIView):
    generator_class = SharedSchemaGenerator

    def _get_version_parameter(self, request: Any) -> None:
        """There is one version, so ?version= changes nothing."""
