"""Readers of the change feed: how far they are, what they have set aside, trying again, stopping."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from chatty.jobs import claims
from chatty.ops import logs
from conversations.admin.base import ReadOnlyAdmin
from conversations.changefeed import batches
from conversations.changefeed.models import Cursor, ReaderState, SetAsideChange


class _ReaderAdmin(ReadOnlyAdmin):
    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("changefeed.change_readerstate")


@admin.register(ReaderState)
class ReaderStateAdmin(_ReaderAdmin):
    list_display = ("name", "active", "started_at", "failing", "set_aside")
    fields = readonly_fields = ("name", "active", "started_at")
    sortable_by = ()
    actions = ("stop", "continue_reading")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReaderState]:
        self._failing = _count(Cursor.objects.filter(Q(failures__gt=1) | ~Q(set_aside_at=None)))
        self._aside = _count(SetAsideChange.objects.all())
        return super().get_queryset(request)

    @admin.display(description=_("failing"))
    def failing(self, state: ReaderState) -> int:
        return self._failing.get(state.name, 0)

    @admin.display(description=_("set aside"))
    def set_aside(self, state: ReaderState) -> int:
        return self._aside.get(state.name, 0)

    @admin.action(description=_("Stop"), permissions=["operate"])
    def stop(self, request: HttpRequest, rows: QuerySet[ReaderState]) -> None:
        rows.update(active=False)
        self.message_user(
            request,
            _("They stop within seconds. What changes until they continue is read then."),
        )

    @admin.action(description=_("Continue"), permissions=["operate"])
    def continue_reading(self, request: HttpRequest, rows: QuerySet[ReaderState]) -> None:
        rows.update(active=True)
        self.message_user(request, _("They continue within seconds."))


@admin.register(Cursor)
class CursorAdmin(_ReaderAdmin):
    """Only those that failed: no one wants to look at the others."""

    list_display = ("reader", "source", "subject_id", "failures", "error", "due_at", "set_aside_at")
    list_filter = ("reader", ("set_aside_at", admin.EmptyFieldListFilter))
    fields = readonly_fields = (*list_display, "version", "seq")
    sortable_by = ()
    actions = ("try_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cursor]:
        failed = Q(error__gt="") | Q(set_aside_at__isnull=False)
        return super().get_queryset(request).filter(failed)

    @admin.action(description=_("Try again"), permissions=["operate"])
    def try_again(self, request: HttpRequest, rows: QuerySet[Cursor]) -> None:
        claims.try_again(Cursor.objects.filter(pk__in=[row.pk for row in rows]))
        self.message_user(request, _("They are tried again within seconds."))


@admin.register(SetAsideChange)
class SetAsideChangeAdmin(_ReaderAdmin):
    list_display = ("at", "reader", "conversation_id", "message_id", "membership_id", "error")
    list_filter = ("reader",)
    fields = readonly_fields = list_display
    ordering = ("-id",)
    sortable_by = ()
    actions = ("try_again",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("changefeed.delete_setasidechange")

    @admin.action(description=_("Try again"), permissions=["operate"])
    def try_again(self, request: HttpRequest, rows: QuerySet[SetAsideChange]) -> None:
        count = 0
        for row in rows:
            try:
                batches.retry(row)
            except Exception as error:  # of the reader: any
                text = f"{row}: {logs.describe_error(error)}"
                self.message_user(request, text, messages.ERROR)
            else:
                count += 1
        if count:
            sentence = ngettext("%d change was handled.", "%d changes were handled.", count)
            self.message_user(request, sentence % count)


def _count(rows: QuerySet[Any]) -> dict[str, int]:
    counted = rows.order_by().values_list("reader").annotate(Count("pk"))
    return dict(counted.values_list("reader", "pk__count"))
