"""Base class and helpers for pages of the admin site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.template.response import TemplateResponse

from accounts.current_user import current_user
from accounts.models import User
from chatty.common.admin_filters import OwnFiltersOnly
from chatty.common.errors import ChatError


class ReadOnlyAdmin(OwnFiltersOnly, admin.ModelAdmin):
    """An admin without Django's forms for adding, changing and deleting rows."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("conversations.change_conversation")

    def page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/conversations/{template}", context)

    def show_error(self, request: HttpRequest, error: ChatError) -> None:
        self.message_user(request, error.detail, messages.ERROR)

    def each(
        self,
        request: HttpRequest,
        rows: Sequence[Any],
        action: Callable[[User, int], Any],
        entry: str = "",
    ) -> list[Any]:
        """Run an action on each row, and show its errors. Returns the rows for which it succeeded. With an
        `entry`, it is added to their history."""
        done = []
        for row in rows:
            try:
                action(current_user(request), row.pk)
            except ChatError as error:
                self.message_user(request, f"{row}: {error.detail}", messages.ERROR)
            else:
                if entry:
                    self.log_change(request, row, entry)
                done.append(row)
        return done


def parse_number(text: str) -> int | None:
    """Return 12 for "12" and "#12", None for any other text."""
    digits = text.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
