"""People who wait for approval, in the admin site: their notes, approving and rejecting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import actions
from accounts.models import SignUpRequest
from chatty.common.admin_filters import OwnFiltersOnly
from chatty.common.pages import site_of

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin

_State = SignUpRequest.State


class _StateFilter(admin.SimpleListFilter):
    """Shows those that are waiting, unless something else is chosen."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(_State.REJECTED.value, _State.REJECTED.label), ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": _State.WAITING.label}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(state=self.value() or _State.WAITING)


@admin.register(SignUpRequest)
class SignUpRequestAdmin(OwnFiltersOnly, Base):
    list_display = ("name", "email", "short_note", "created_at", "state")
    list_filter = (_StateFilter,)
    search_fields = ("name", "email")
    ordering = ("created_at", "id")
    fields = readonly_fields = ("name", "email", "note", "created_at", "state", "decided_at")
    actions = ("approve", "reject")

    @admin.display(description=_("note"))
    def short_note(self, row: SignUpRequest) -> str:
        return Truncator(row.note).chars(120)

    @admin.action(description=_("Approve: create the accounts"), permissions=["decide"])
    def approve(self, request: HttpRequest, rows: QuerySet[SignUpRequest]) -> None:
        users = actions.approve_sign_ups(rows, site=site_of(request))
        for user in users:
            self.log_addition(request, user, "Approved.")
        sentence = ngettext("Approved %d person.", "Approved %d people.", len(users))
        self.message_user(request, sentence % len(users), messages.SUCCESS)

    @admin.action(description=_("Reject"), permissions=["decide"])
    def reject(self, request: HttpRequest, rows: QuerySet[SignUpRequest]) -> None:
        number = actions.reject_sign_ups(rows, site=site_of(request))
        sentence = ngettext("Rejected %d person.", "Rejected %d people.", number)
        self.message_user(request, sentence % number, messages.SUCCESS)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_signuprequest")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
