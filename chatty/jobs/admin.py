"""Jobs, deliveries and unreachable destinations: what waits and what has failed, trying again, deleting.

Deleting is Django's own, with its confirmation. What deliveries are made of (`data`) is never shown: it
can contain addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from chatty.common.admin_filters import OwnFiltersOnly
from chatty.jobs import deliveries, queue
from chatty.jobs.models import Delivery, Destination, Job

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


class _WorkAdmin(OwnFiltersOnly, Base):
    show_full_result_count = False
    sortable_by = ()
    actions: Any = ("try_again",)
    retry: Callable[[QuerySet[Any]], int]  # returns how many

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"jobs.change_{self.opts.model_name}")

    @admin.action(description=_("Try again"), permissions=["operate"])
    def try_again(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        number = self.retry(rows)
        sentence = ngettext(
            "%d is tried again within seconds.", "%d are tried again within seconds.", number
        )
        self.message_user(request, sentence % number)


@admin.register(Job)
class JobAdmin(_WorkAdmin):
    list_display = ("name", "created_at", "due_at", "failures", "error", "set_aside_at")
    list_filter = ("name", ("set_aside_at", admin.EmptyFieldListFilter))
    fields = readonly_fields = (*list_display, "arguments", "claimed_until")
    ordering = ("due_at", "id")
    retry = staticmethod(queue.try_again)

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        super().delete_model(request, obj)
        queue.ensure_recurring()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        super().delete_queryset(request, queryset)
        queue.ensure_recurring()


@admin.register(Delivery)
class DeliveryAdmin(_WorkAdmin):
    list_display = (
        "template",
        "kind",
        "destination",
        "created_at",
        "due_at",
        "failures",
        "error",
        "set_aside_at",
    )
    list_filter = ("kind", "destination", ("set_aside_at", admin.EmptyFieldListFilter))
    fields = readonly_fields = (*list_display, "ordering", "expires_at", "claimed_until")
    ordering = ("id",)
    retry = staticmethod(deliveries.try_again)


@admin.register(Destination)
class DestinationAdmin(_WorkAdmin):
    list_display = ("name", "failures", "failed_at", "retry_at", "error")
    fields = readonly_fields = list_display
    ordering = ("name",)
    retry = staticmethod(deliveries.try_destinations_again)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
