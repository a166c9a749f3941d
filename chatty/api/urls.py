"""All REST paths under /api/: those of each app, their index, the schema and its documentation."""

from __future__ import annotations

from django.urls import include, path

from chatty.api.index import IndexView
from chatty.api.views import DocsView, SchemaView

app_name = "api"

_APPS = (
    "accounts.api.urls",
    "conversations.api.urls",
    "conversations.invitations.api.urls",
    "conversations.join_requests.api.urls",
    "conversations.search.api.urls",
    "conversations.attachments.api.urls",
    "conversations.custom_emoji.api.urls",
    "conversations.pins.api.urls",
)

urlpatterns = [
    path("", IndexView.as_view(), name="index"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    *[path("", include(name)) for name in _APPS],
]
