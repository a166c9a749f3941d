"""Messages in the admin site: searching, reading where permitted, deleting."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.current_user import current_user
from accounts.models import User
from chatty.common.folded_names import contains_all
from chatty.common.pages import SeeOther
from conversations import actions, limits, notices, queries
from conversations.admin.base import ReadOnlyAdmin, parse_number
from conversations.admin.conversations import named_condition
from conversations.models import Conversation, Message

NARROWED_TO = 100  # maximum number of matching conversations or people in a search
LIST_EXCERPT = 300  # characters of a message in the list


class MessageSearch(forms.Form):
    """The filters of the list of messages."""

    conversation = forms.CharField(
        label=_("Conversation"), required=False, max_length=limits.NAME_MAX
    )
    author = forms.CharField(label=_("Author"), required=False, max_length=254)
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("Until"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    words = forms.CharField(label=_("Text"), required=False, max_length=200)

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_valid():
            return rows.none()
        data = self.cleaned_data
        if data["conversation"]:
            rows = rows.filter(conversation_id__in=find_conversations(data["conversation"]))
        if data["author"]:
            rows = rows.filter(author_id__in=find_people(data["author"]))
        if data["since"]:
            rows = rows.filter(created_at__gte=midnight(data["since"]))
        if data["until"]:
            rows = rows.filter(created_at__lt=midnight(data["until"] + timedelta(days=1)))
        if data["words"]:
            # Only search readable messages: a match alone would reveal part of a hidden text.
            rows = rows.filter(readable=True, body__icontains=data["words"])
        return rows


def midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def find_conversations(text: str) -> list[int]:
    found = Conversation.objects.filter(named_condition(text), deleted_at=None)
    return list(found.order_by("-last_text_at").values_list("pk", flat=True)[:NARROWED_TO])


def find_people(text: str) -> list[int]:
    number = parse_number(text)
    if number is not None:
        return [number]
    found = User.objects.filter(contains_all(text) | Q(email__icontains=text))
    return list(found.order_by("name", "pk").values_list("pk", flat=True)[:NARROWED_TO])


class MessageList(ChangeList):
    """A page of messages, newest first. Doesn't count all rows, because there can be millions."""

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.narrowed = MessageSearch(request.GET)
        self.older = ""  # the query string of the next page, "" if there is none
        super().__init__(request, *args)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        return {}

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[Message]:
        self.filter_specs: list[Any] = []
        return self.narrowed.narrow(self.root_queryset)

    def get_results(self, request: HttpRequest) -> None:
        rows, before = queries.latest_matching(
            self.queryset,
            before=parse_number(request.GET.get("before", "")),
            limit=self.list_per_page,
        )
        titles = queries.titles_for_staff({row.conversation for row in rows})
        for row in rows:
            row.staff_title = titles[row.conversation_id]  # type: ignore[attr-defined]
        self.result_list = rows
        self.result_count = len(rows)
        self.full_result_count = None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(rows)
        # Django requires a paginator, but nothing here uses its count.
        self.paginator = self.model_admin.get_paginator(
            request, self.queryset.order_by("-pk"), self.list_per_page
        )
        if before is not None:
            self.older = self.get_query_string({"before": before})


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    change_list_template = "admin/conversations/message/list.html"
    # A name of a column with text would show it, also if it is private: see messages_for_staff().
    list_display = ("number", "where", "author", "created_at", "kind", "beginning")
    list_display_links = ("number",)
    list_per_page = 100
    sortable_by = ()
    fields = (
        *("where", "seq", "kind", "author", "text", "reply_to_link"),
        *("created_at", "edited_at", "deleted_at", "pin"),
    )
    readonly_fields = fields
    actions = ("delete_selected",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return queries.messages_for_staff(current_user(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MessageList

    @admin.display(description="#")
    def number(self, message: Message) -> str:
        return f"#{message.pk}"

    @admin.display(description=_("conversation"))
    def where(self, message: Message) -> SafeString:
        title = getattr(message, "staff_title", "") or queries.title_for_staff(message.conversation)
        url = reverse("admin:conversations_conversation_change", args=[message.conversation_id])
        return format_html('<a href="{}">{}</a>', url, title)

    @admin.display(description=_("message"))
    def beginning(self, message: Message) -> str | SafeString:
        return staff_text(message, at_most=LIST_EXCERPT)

    @admin.display(description=_("message"))
    def text(self, message: Message) -> str | SafeString:
        return staff_text(message, at_most=None)

    @admin.display(description=_("reply to"))
    def reply_to_link(self, message: Message) -> str | SafeString:
        if message.reply_to_id is None:
            return "-"
        url = reverse("admin:conversations_message_change", args=[message.reply_to_id])
        return format_html('<a href="{}">#{}</a>', url, message.reply_to_id)

    @admin.display(description=_("pinned by"))
    def pin(self, message: Message) -> str:
        return message.pinned_by if message.pinned else "-"

    # Deleting goes through actions: it leaves a tombstone and is published, as when the author deletes it.

    def has_delete_permission(self, request: HttpRequest, obj: Message | None = None) -> bool:
        may = request.user.has_perm("conversations.delete_message")
        return may and (obj is None or (obj.is_text and not obj.is_deleted))

    @admin.action(description=_("Delete (a “Message deleted” note stays)"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, rows: QuerySet[Message]) -> HttpResponse | None:
        # Ignore Django's "select all on all pages", which this list doesn't offer.
        chosen = list(rows.filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME)))
        doomed = [row for row in chosen if self.has_delete_permission(request, row)]
        if not doomed:
            self.message_user(request, _("Nothing to delete."), messages.WARNING)
            return None
        if "confirm" not in request.POST:
            return self._ask(request, doomed)
        self._delete(request, doomed)
        return None

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        message = self.get_object(request, object_id)
        if message is None:
            raise Http404
        if not self.has_delete_permission(request, message):
            raise PermissionDenied
        if request.method != "POST":
            return self._ask(request, [message])
        self._delete(request, [message])
        return SeeOther(reverse("admin:conversations_message_change", args=[message.pk]))

    def _ask(self, request: HttpRequest, doomed: list[Message]) -> TemplateResponse:
        return self.page(
            request,
            "message/delete.html",
            title=_("Delete messages"),
            doomed=[(row, self.where(row), self.beginning(row)) for row in doomed],
            checkbox=ACTION_CHECKBOX_NAME,
        )

    def _delete(self, request: HttpRequest, doomed: list[Message]) -> None:
        done = self.each(request, doomed, actions.moderate_delete_message)
        self.log_deletions(request, cast(Any, done))
        sentence = ngettext("Deleted %d message.", "Deleted %d messages.", len(done))
        if done:
            self.message_user(request, sentence % len(done))


def staff_text(message: Message, *, at_most: int | None) -> str | SafeString:
    """Return the text of a message or notice for an administrator, or a link to give a reason first."""
    if not message.is_text:
        author = message.author.name if message.author else None
        return notices.sentence(message.kind, author=author, data=message.data or {})
    if message.is_deleted:
        return format_html("<em>{}</em>", _("deleted"))
    words: str | None = message.words  # type: ignore[attr-defined]
    if words is None:
        url = reverse("admin:conversations_conversation_reveal", args=[message.conversation_id])
        return format_html(
            '<em>{}</em> · <a href="{}?message={}">{}</a>',
            _("hidden"),
            url,
            message.pk,
            _("Give a reason to view it"),
        )
    return words if at_most is None else Truncator(words).chars(at_most)
