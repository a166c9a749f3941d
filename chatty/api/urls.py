"""All REST paths under /api/: those of each app, the schema and its documentation."""

from __future__ import annotations

from django.urls import include, path

from chatty.api.views import DocsView, SchemaView

app_name = "api"

_APPS = ("accounts.api.urls", "conversations.api.urls", "conversations.search.api.urls")

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    *[path("", include(name)) for name in _APPS],
]
