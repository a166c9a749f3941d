"""All URLs that Django handles. Sockets and probes are handled before Django: see asgi.py."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("chatty.api.urls")),
    path("", include("accounts.web.urls")),
    path("", include("conversations.web.urls")),
    path("", include("conversations.invitations.web.urls")),
    path("", include("conversations.join_requests.web.urls")),
    path("", include("conversations.search.web.urls")),
    path("", include("conversations.attachments.web.urls")),
    path("", include("conversations.custom_emoji.web.urls")),
    path("", include("conversations.pins.web.urls")),
]

handler400 = "chatty.error_responses.bad_request"
handler403 = "chatty.error_responses.forbidden"
handler404 = "chatty.error_responses.not_found"
handler500 = "chatty.error_responses.server_error"
