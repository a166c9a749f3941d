"""The settings of the installation in the admin site: one page, without a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts import actions
from accounts.installation import sign_up_policy
from accounts.models import InstallationSettings, SignUpPolicy
from chatty.common.admin_filters import OwnFiltersOnly
from chatty.common.errors import ChatError

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


@admin.register(InstallationSettings)
class InstallationAdmin(OwnFiltersOnly, Base):
    """Shows the row even before there is one. Settings of the environment are shown, but are fixed."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("fixed_sign_up",) if settings.SIGN_UP else ("sign_up",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("fixed_sign_up",)

    @admin.display(
        description=_("sign-up"),
    )
    def fixed_sign_up(self, row: InstallationSettings) -> str:
        return _(
            "%(choice)s. This is set by SIGN_UP in the environment and can’t be changed here."
        ) % {"choice": SignUpPolicy(sign_up_policy()).label}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if request.GET:
            raise ChatError("invalid")  # a list would reject them, too
        return redirect("admin:accounts_installationsettings_change", 1)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> InstallationSettings | None:
        if object_id != "1":
            return None
        return super().get_object(request, object_id, from_field) or InstallationSettings()

    def save_model(
        self, request: HttpRequest, obj: InstallationSettings, form: Any, change: bool
    ) -> None:
        if "sign_up" in form.changed_data:
            actions.change_installation(sign_up=obj.sign_up)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not settings.SIGN_UP

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
