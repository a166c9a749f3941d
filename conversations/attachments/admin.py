"""Files in the admin site: who has sent what, and how much storage all of it uses. Their content isn't shown:
that would need a reason, as for viewing a conversation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import ReadOnlyAdmin
from conversations.attachments import rules
from conversations.attachments.models import File


@admin.register(File)
class FileAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "shown_size", "owner", "conversation", "created_at", "state")
    list_filter = ("kind",)
    list_select_related = ("owner", "conversation")
    search_fields = ("name", "owner__name", "owner__email")
    ordering = ("-created_at",)
    sortable_by = ("size", "created_at")
    fields = readonly_fields = (
        *("name", "kind", "type", "shown_size", "owner", "conversation"),
        *("created_at", "expires_at", "state"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[File]:
        return super().get_queryset(request).filter(removed_at=None)

    @admin.display(description=_("size"), ordering="size")
    def shown_size(self, file: File) -> str:
        return filesizeformat(file.stored_size or file.size)

    @admin.display(description=_("state"))
    def state(self, file: File) -> str:
        if file.message_id is not None:
            return gettext("sent")
        return gettext("not sent yet") if file.is_complete else gettext("arriving")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        used = filesizeformat(rules.used_in_total())
        title = gettext("Files: %(used)s used") % {"used": used}
        if settings.FILES_TOTAL_MB:
            total = filesizeformat(settings.FILES_TOTAL_MB * rules.MEGABYTE)
            title = gettext("Files: %(used)s of %(total)s used") % {"used": used, "total": total}
        return super().changelist_view(request, {"title": title, **(extra_context or {})})
