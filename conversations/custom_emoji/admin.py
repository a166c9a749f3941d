"""Custom emoji in the admin site: all of them, removing them, and deleting pictures."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from conversations.admin.base import ReadOnlyAdmin
from conversations.custom_emoji import actions
from conversations.custom_emoji.models import CustomEmoji
from conversations.emoji import picture_html


@admin.register(CustomEmoji)
class CustomEmojiAdmin(ReadOnlyAdmin):
    list_display = ("shown", "name", "added_by", "created_at", "removed_at", "removed_by")
    list_display_links = ("name",)
    list_filter = (("removed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("added_by", "removed_by")
    search_fields = ("name", "added_by__name", "added_by__email")
    ordering = ("-id",)
    sortable_by = ()
    fields = readonly_fields = (
        *("shown", "name", "former_names", "added_by", "created_at", "removed_at", "removed_by"),
    )
    actions = ("remove", "delete_pictures")

    @admin.display(description=_("picture"))
    def shown(self, emoji: CustomEmoji) -> SafeString:
        return mark_safe(picture_html(str(emoji), emoji.picture_id))

    @admin.action(description=_("Remove"), permissions=["moderate"])
    def remove(self, request: HttpRequest, rows: QuerySet[CustomEmoji]) -> None:
        present = list(rows.filter(removed_at=None))
        done = self.each(request, present, actions.remove, "Removed.")
        sentence = ngettext("Removed %d emoji.", "Removed %d emoji.", len(done))
        self.message_user(request, sentence % len(done), messages.SUCCESS)

    @admin.action(description=_("Remove, and delete the pictures"), permissions=["moderate"])
    def delete_pictures(self, request: HttpRequest, rows: QuerySet[CustomEmoji]) -> None:
        done = self.each(request, list(rows), actions.delete_picture, "Deleted the picture.")
        sentence = ngettext("Deleted %d picture.", "Deleted %d pictures.", len(done))
        self.message_user(request, sentence % len(done), messages.SUCCESS)

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("custom_emoji.change_customemoji")
