"""All REST paths under /api/, each app's own beside the description of them all."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from chatty.api.views import SchemaView

app_name = "api"

docs = SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="api/docs.html")

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", docs, name="docs"),
    *[path("", include(name)) for name in ("accounts.api.urls", "conversations.api.urls")],
]
