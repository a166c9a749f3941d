"""The audit log: which administrator viewed which private conversation, and why."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import ReadOnlyAdmin
from conversations.models import Reveal


@admin.register(Reveal)
class RevealAdmin(ReadOnlyAdmin):
    list_display = ("at", "staff", "looked_into", "reason")
    list_select_related = ("staff",)
    search_fields = ("staff__name", "staff__email", "title", "reason")
    ordering = ("-id",)
    sortable_by = ()
    # Without the conversation itself, because it may have been deleted since.
    fields = ("at", "staff", "looked_into", "reason")
    readonly_fields = fields

    @admin.display(description=_("conversation"))
    def looked_into(self, reveal: Reveal) -> str:
        return str(reveal)
