"""Conversations in the admin site: members, roles, archiving, access to private ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.current_user import current_user
from accounts.models import User
from accounts.queries import user_by_email
from chatty.common.errors import ChatError
from chatty.common.folded_names import contains_all
from chatty.common.pages import SeeOther, add_form_error, validated, with_status
from conversations import actions, limits, queries
from conversations.admin.base import ReadOnlyAdmin, parse_number
from conversations.models import Conversation, Membership, Message

MEMBERS_SHOWN = 200
# In one word: the labels of the choices are sentences.
_ACCESS: dict[str, Any] = {
    Conversation.Access.OPEN: _("public"),
    Conversation.Access.CLOSED: _("private"),
}


class AddMemberForm(forms.Form):
    person = forms.CharField(label=_("Email address or ID"), max_length=254)

    def clean_person(self) -> User:
        text = self.cleaned_data["person"]
        number = parse_number(text)
        person = user_by_email(text) if number is None else User.objects.filter(pk=number).first()
        if person is None:
            raise forms.ValidationError(_("No account has this email address or ID."))
        return person


class RevealForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=limits.REASON_MAX,
        widget=forms.TextInput(attrs={"class": "vTextField", "autofocus": True}),
        help_text=_("Kept permanently with your name. All administrators can see it."),
    )


class ArchivedFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("active")), ("yes", _("archived"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Conversation]
    ) -> QuerySet[Conversation]:
        if self.value() in ("yes", "no"):
            return queryset.filter(archived_at__isnull=self.value() == "no")
        return queryset


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    change_form_template = "admin/conversations/conversation/change_form.html"
    list_display = ("title", "kind", "access_value", "entries", "last_text_at", "archived_at")
    list_display_links = ("title",)
    list_filter = ("kind", "access", ArchivedFilter)
    show_facets = admin.ShowFacets.NEVER  # each facet would count all conversations
    search_fields = ("name",)  # get_search_results() searches more
    search_help_text = _(
        "Search by name. Find direct messages by a person’s name or email address."
    )
    sortable_by = ("title", "entries", "last_text_at", "archived_at")
    ordering = ("-last_text_at", "-id")
    fields = (
        *("title", "kind", "access", "topic", "members", "message_list"),
        *("created_by", "created_at", "last_text_at", "archived_at"),
    )
    readonly_fields = fields
    actions = ("archive_selected", "unarchive_selected")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).filter(deleted_at=None)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        text = search_term.replace("\0", "").strip()
        if not text:
            return queryset, False
        return queryset.filter(named_condition(text)), False

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        shown = super().get_changelist_instance(request)
        rows = shown.result_list = list(shown.result_list)
        titles = queries.titles_for_staff(rows)
        for row in rows:
            row.staff_title = titles[row.pk]
        return shown

    @admin.display(description=_("name"), ordering="name")
    def title(self, conversation: Conversation) -> str:
        # Set by get_changelist_instance() for a whole list; looked up for a single conversation.
        title: str = getattr(conversation, "staff_title", "")
        return title or queries.title_for_staff(conversation)

    @admin.display(description=_("access"), ordering="access")
    def access_value(self, conversation: Conversation) -> str:
        return str(_ACCESS[conversation.access])

    @admin.display(description=_("messages"), ordering="last_seq")
    def entries(self, conversation: Conversation) -> int:
        return conversation.last_seq

    @admin.display(description=_("members"))
    def members(self, conversation: Conversation) -> SafeString:
        count = Membership.objects.filter(conversation=conversation).count()
        url = reverse("admin:conversations_conversation_moderate", args=[conversation.pk])
        return format_html('{} · <a href="{}">{}</a>', count, url, _("View and change"))

    @admin.display(description=_("messages"))
    def message_list(self, conversation: Conversation) -> SafeString:
        return format_html(
            '{} · <a href="{}">{}</a>',
            conversation.last_seq,
            messages_url(conversation.pk),
            _("View"),
        )

    @admin.action(description=_("Archive"), permissions=["moderate"])
    def archive_selected(self, request: HttpRequest, rows: QuerySet[Conversation]) -> None:
        live = list(rows.filter(archived_at=None))
        done = self.each(request, live, actions.moderate_archive, "Archived.")
        sentence = ngettext("Archived %d conversation.", "Archived %d conversations.", len(done))
        self.message_user(request, sentence % len(done))

    @admin.action(description=_("Unarchive"), permissions=["moderate"])
    def unarchive_selected(self, request: HttpRequest, rows: QuerySet[Conversation]) -> None:
        archived = list(rows.filter(archived_at__isnull=False))
        done = self.each(request, archived, actions.moderate_unarchive, "Unarchived.")
        sentence = ngettext(
            "Unarchived %d conversation.",
            "Unarchived %d conversations.",
            len(done),
        )
        self.message_user(request, sentence % len(done))

    def get_urls(self) -> list[Any]:
        def wrapped(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
            return self.admin_site.admin_view(view)

        own = [
            path(
                "<int:conversation_id>/moderate/",
                wrapped(self.moderate_view),
                name="conversations_conversation_moderate",
            ),
            path(
                "<int:conversation_id>/reveal/",
                wrapped(self.reveal_view),
                name="conversations_conversation_reveal",
            ),
        ]
        return own + super().get_urls()

    def require_conversation(self, request: HttpRequest, conversation_id: int) -> Conversation:
        conversation: Conversation | None = self.get_object(request, str(conversation_id))
        if conversation is None:
            raise Http404
        return conversation

    # Members, roles, archiving: one page with a form for each action.

    def moderate_view(self, request: HttpRequest, conversation_id: int) -> HttpResponse:
        if not self.has_moderate_permission(request):
            raise PermissionDenied
        conversation = self.require_conversation(request, conversation_id)
        form = AddMemberForm(request.POST if request.POST.get("action") == "add" else None)
        if request.method != "POST":
            return self._moderate_page(request, conversation, form)
        try:
            sentence = self._moderate(request, conversation, form)
        except ChatError as error:
            if error.code == "reason_required" and may_reveal(request):
                self.show_error(request, error)
                reveal = reverse("admin:conversations_conversation_reveal", args=[conversation_id])
                return SeeOther(f"{reveal}?members")
            if not form.is_bound:
                self.show_error(request, error)
            else:
                if form.is_valid():  # otherwise it shows its own errors
                    add_form_error(form, error)
                return with_status(self._moderate_page(request, conversation, form), error)
        else:
            self.log_change(request, conversation, sentence)
            self.message_user(request, sentence)
        return SeeOther(request.path)

    def _moderate(
        self, request: HttpRequest, conversation: Conversation, form: AddMemberForm
    ) -> str:
        """Run the submitted action and return a message about it."""
        staff, action = current_user(request), request.POST.get("action")
        if action == "archive":
            actions.moderate_archive(staff, conversation.pk)
            return str(_("Archived."))
        if action == "unarchive":
            actions.moderate_unarchive(staff, conversation.pk)
            return str(_("Unarchived."))
        if action == "add":
            if not form.is_valid():
                raise ChatError("invalid")
            person = form.cleaned_data["person"]
            actions.moderate_add_member(staff, conversation.pk, person.pk)
            return _("Added %(whom)s.") % {"whom": person}
        user_id = parse_number(request.POST.get("user", ""))
        person = User.objects.filter(pk=user_id or 0).first()
        if person is None:
            raise ChatError("not_found")
        if action == "remove":
            actions.moderate_remove_member(staff, conversation.pk, person.pk)
            return _("Removed %(whom)s.") % {"whom": person}
        if action == "role":
            role = request.POST.get("role", "")
            actions.moderate_change_role(staff, conversation.pk, person.pk, role)
            sentence = _("Changed the role of %(whom)s to %(role)s.")
            return sentence % {"whom": person, "role": Membership.Role(role).label}
        raise ChatError("invalid")

    def _moderate_page(
        self, request: HttpRequest, conversation: Conversation, form: AddMemberForm
    ) -> TemplateResponse:
        members = Membership.objects.filter(conversation=conversation).select_related("user")
        find = request.GET.get("find", "").replace("\0", "").strip()
        if find:
            members = members.filter(
                contains_all(find, "user__name") | Q(user__email__icontains=find)
            )
        shown = list(members.order_by("user__name", "user_id")[: MEMBERS_SHOWN + 1])
        return self.page(
            request,
            "conversation/moderate.html",
            title=_("Members and status"),
            original=conversation,
            called=self.title(conversation),
            form=form,
            find=find,
            members=shown[:MEMBERS_SHOWN],
            more=len(shown) > MEMBERS_SHOWN,
            roles=Membership.Role.choices,
        )

    # Access to private conversations and direct messages.

    def reveal_view(self, request: HttpRequest, conversation_id: int) -> HttpResponse:
        """Ask for a reason, record it, and redirect to the requested page."""
        if not may_reveal(request):
            raise PermissionDenied
        conversation = self.require_conversation(request, conversation_id)
        form = RevealForm(request.POST if request.method == "POST" else None)
        if request.method == "POST":
            try:
                with validated(form):
                    reveal = actions.reveal(
                        current_user(request), conversation.pk, form.cleaned_data["reason"]
                    )
            except ChatError as error:
                return with_status(self._reveal_page(request, conversation, form), error)
            self.log_change(request, conversation, f"Viewed: {reveal.reason}")
            return SeeOther(self._revealed(request, conversation))
        return self._reveal_page(request, conversation, form)

    def _reveal_page(
        self, request: HttpRequest, conversation: Conversation, form: RevealForm
    ) -> TemplateResponse:
        return self.page(
            request,
            "conversation/reveal.html",
            title=_("View a conversation"),
            original=conversation,
            called=self.title(conversation),
            form=form,
            minutes=limits.REVEAL_SECONDS // 60,
        )

    def _revealed(self, request: HttpRequest, conversation: Conversation) -> str:
        """Return the URL to continue with: the members (?members), the message (?message=7), or else all
        messages of the conversation."""
        if "members" in request.GET:
            return reverse("admin:conversations_conversation_moderate", args=[conversation.pk])
        message_id = parse_number(request.GET.get("message", ""))
        here = Message.objects.filter(pk=message_id or 0, conversation=conversation)
        if here.exists():
            return reverse("admin:conversations_message_change", args=[message_id])
        return messages_url(conversation.pk)


def named_condition(text: str) -> Q:
    """Return the condition for a search: by id ("#7"), by name, or by a person in a direct message."""
    number = parse_number(text) if text.startswith("#") else None
    if number is not None:
        return Q(pk=number)
    person = contains_all(text, "user__name") | Q(user__email__icontains=text)
    talks = Membership.objects.filter(person, conversation_id=OuterRef("pk"))
    return contains_all(text) & ~Q(name="") | Q(Exists(talks), kind=Conversation.Kind.DIRECT)


def messages_url(conversation_id: int) -> str:
    """Return the URL of the list of all messages of a conversation."""
    where = urlencode({"conversation": f"#{conversation_id}"})
    return f"{reverse('admin:conversations_message_changelist')}?{where}"


def may_reveal(request: HttpRequest) -> bool:
    return request.user.has_perms(["conversations.view_message", "conversations.add_reveal"])
