"""Invitations in the admin site: all of them, and revoking them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from chatty.common.errors import ChatError
from conversations.admin.base import ReadOnlyAdmin
from conversations.invitations import actions, rules
from conversations.invitations.models import Acceptance, Invitation

_STATES = {
    "invitation_expired": _("expired"),
    "invitation_used": _("used up"),
    "invitation_ended": _("account deactivated"),
}


class AcceptanceInline(admin.TabularInline):
    model = Acceptance
    fields = readonly_fields = ("user", "signed_up", "accepted_at")
    extra = 0
    can_delete = False
    verbose_name = _("person")
    verbose_name_plural = _("People who joined with it")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("invitations.view_invitation")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Acceptance]:
        return super().get_queryset(request).select_related("user")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_by", "email", "state", "people", "created_at", "expires_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "has_conversations")
    list_select_related = ("created_by",)
    search_fields = ("created_by__name", "created_by__email", "email", "note")
    ordering = ("-id",)
    sortable_by = ()
    fields = readonly_fields = (
        *("created_by", "state", "people", "joins", "note", "email"),
        *("created_at", "link_made_at", "expires_at", "revoked_at", "revoked_by"),
    )
    inlines = (AcceptanceInline,)
    actions = ("revoke",)

    @admin.display(description=_("state"))
    def state(self, invitation: Invitation) -> str:
        if invitation.revoked_at is not None:
            return str(_("revoked"))
        try:
            rules.check_live(invitation)
        except ChatError as error:
            return str(_STATES[error.code])
        return str(_("valid"))

    @admin.display(description=_("people"))
    def people(self, invitation: Invitation) -> str:
        most = "∞" if invitation.uses_max is None else invitation.uses_max
        return f"{invitation.uses} / {most}"

    @admin.display(description=_("conversations"))
    def joins(self, invitation: Invitation) -> str:
        # Only their numbers: the names of private conversations are not shown to administrators here.
        ids = invitation.targets.values_list("conversation_id", flat=True)
        return ", ".join(f"#{pk}" for pk in ids) or "–"

    @admin.action(description=_("Revoke"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Invitation]) -> None:
        live = list(rows.filter(revoked_at=None))
        done = self.each(request, live, actions.revoke_as_staff, "Revoked.")
        sentence = ngettext("Revoked %d invitation.", "Revoked %d invitations.", len(done))
        self.message_user(request, sentence % len(done), messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("invitations.change_invitation")
