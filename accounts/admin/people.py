"""Accounts and sign-ins in the admin site. Like all interfaces, it changes data only through actions.

Accounts cannot be deleted here, and neither password hashes nor tokens are shown.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    BaseUserCreationForm,
    SetPasswordMixin,
)
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from accounts import actions
from accounts.installation import installation_name
from accounts.models import NAME_MAX, SignIn, User
from accounts.signals import announce_profile
from chatty.common.admin_filters import OwnFiltersOnly
from chatty.common.errors import ChatError
from chatty.common.folded_names import contains, each_word
from chatty.common.text import clean_line


def _sign_in_page(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Redirect to Chatty's own sign-in: Django's would bypass the limiter."""
    if request.user.is_authenticated:
        raise ChatError("not_allowed")
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


def _password_page(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    return redirect("accounts:password_change")


def _without_nul(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Reject NUL in ids that Django passes to the database: PostgreSQL raises an error for it."""

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if any("\0" in str(value) for value in (*args, *kwargs.values())):
            raise ChatError("not_found")
        if any("\0" in value for value in request.POST.getlist("_selected_action")):
            raise ChatError("invalid")
        return view(request, *args, **kwargs)

    return checked


def _admin_view(view: Callable[..., HttpResponse], cacheable: bool = False) -> Any:
    return _plain_admin_view(_without_nul(view), cacheable)


_plain_admin_view = admin.site.admin_view
admin.site.admin_view = _admin_view  # type: ignore[method-assign, assignment]
admin.site.login = _sign_in_page  # type: ignore[method-assign]
admin.site.password_change = _password_page  # type: ignore[method-assign, assignment]
admin.site.site_header = admin.site.site_title = lazy(installation_name, str)()
admin.site.unregister(Group)


class _CleanedForm(forms.ModelForm):
    """Applies the same validation to the admin site's input as the actions do."""

    def clean_email(self) -> str:
        try:
            return actions.clean_email(self.cleaned_data["email"])
        except ChatError as error:
            raise ValidationError(error.detail) from None

    def clean_name(self) -> str:
        try:
            return clean_line(self.cleaned_data["name"], field="name", max_length=NAME_MAX)
        except ChatError as error:
            raise ValidationError(error.detail) from None


class _PasswordRules(SetPasswordMixin):
    """Applies check_password_rules(): Django's forms only run AUTH_PASSWORD_VALIDATORS."""

    cleaned_data: dict[str, Any]

    @sensitive_variables("password")
    def validate_password_for_user(
        self,
        user: User,
        password_field_name: str = "password1",  # noqa: S107  # the name of a field
    ) -> None:
        password = self.cleaned_data.get(password_field_name)
        if not password:
            return  # the field is required: its error is already there
        try:
            actions.check_password_rules(password, user, field=password_field_name)
        except ChatError as error:
            wrong = error.fields[password_field_name]
            cast(forms.Form, self).add_error(password_field_name, wrong)


class NewPersonForm(_CleanedForm, _PasswordRules, BaseUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")


class PersonForm(_CleanedForm):
    class Meta:
        model = User
        fields = "__all__"


class NewPasswordForm(_PasswordRules, AdminPasswordChangeForm):
    """Ends all sign-ins of the user, as every other password change does."""

    def save(self, commit: bool = True) -> User:
        user: User = self.user
        if self.cleaned_data["set_usable_password"]:
            actions.reset_password(user, self.cleaned_data["password1"])
        else:
            actions.remove_password(user)
        return user


def may_change(request: HttpRequest, person: User) -> bool:
    """Return whether this administrator may change the person.

    Only superusers may change other administrators. Otherwise staff could take over by setting a
    superuser's password, or by signing one out during an incident.
    """
    if request.user.is_superuser or person == request.user:
        return True
    return not (person.is_staff or person.is_superuser)


@admin.register(User)
class PersonAdmin(OwnFiltersOnly, DjangoUserAdmin):
    form = PersonForm
    add_form = NewPersonForm
    change_password_form = NewPasswordForm
    list_display = ("name", "email", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("name", "email")
    ordering = ("name", "id")
    filter_horizontal = ("user_permissions",)
    readonly_fields = (
        *("email_confirmed_at", "is_active", "closed_at", "date_joined", "last_login"),
        "password_page",
    )
    actions = ("close_accounts", "reopen_accounts", "remove_pictures")
    fieldsets = (
        (None, {"fields": ("name", "email", "email_confirmed_at", "time_zone", "password_page")}),
        (_("Account"), {"fields": ("is_active", "closed_at", "date_joined", "last_login")}),
        (_("Permissions"), {"fields": ("is_staff", "is_superuser", "user_permissions")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)

    _RIGHTS = ("is_staff", "is_superuser", "user_permissions")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Find names in any case, with or without accents."""

        def is_called(word: str) -> Q:
            return contains(word) | Q(email__icontains=word)

        return queryset.filter(each_word(search_term, is_called)), False

    @admin.display(description=_("password"))
    def password_page(self, person: User) -> SafeString:
        url = reverse("admin:auth_user_password_change", args=[person.pk])
        return format_html('<a href="{}">{}</a>', url, _("Set a new password"))

    @admin.action(
        description=_("Deactivate: sign out everywhere and block sign-in"), permissions=["change"]
    )
    def close_accounts(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._each(request, people.filter(is_active=True), close=True)

    @admin.action(description=_("Reactivate"), permissions=["change"])
    def reopen_accounts(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._each(request, people.filter(is_active=False), close=False)

    @admin.action(description=_("Remove picture"), permissions=["change"])
    def remove_pictures(self, request: HttpRequest, people: QuerySet[User]) -> None:
        done = 0
        for person in people.exclude(picture=""):
            if self.has_change_permission(request, person):
                actions.update_profile(person, remove_picture=True)
                self.log_change(request, person, "Picture removed.")
                done += 1
        sentence = ngettext("Removed %d picture.", "Removed %d pictures.", done)
        self.message_user(request, sentence % done, messages.SUCCESS)

    def _each(self, request: HttpRequest, people: QuerySet[User], *, close: bool) -> None:
        done = 0
        for person in people:
            if person == request.user or not self.has_change_permission(request, person):
                self.message_user(
                    request,
                    _("You don’t have permission to change this account: %s.") % person,
                    messages.WARNING,
                )
                continue
            (actions.close_account if close else actions.reopen_account)(person)
            self.log_change(request, person, "Deactivated." if close else "Reactivated.")
            done += 1
        if close:
            sentence = ngettext("Deactivated %d account.", "Deactivated %d accounts.", done)
        else:
            sentence = ngettext("Reactivated %d account.", "Reactivated %d accounts.", done)
        if done:
            self.message_user(request, sentence % done, messages.SUCCESS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or may_change(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change and "email" in form.changed_data:
            # No one has proved the new one, and a link to another must not replace it later.
            obj.email_confirmed_at, obj.new_email = None, ""
        super().save_model(request, obj, form, change)
        if change and "name" in form.changed_data:
            announce_profile(obj.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        # Only superusers may grant rights: anyone else could make themselves a superuser.
        return fields if request.user.is_superuser else (*fields, *self._RIGHTS)


@admin.register(SignIn)
class SignInAdmin(OwnFiltersOnly, admin.ModelAdmin):
    list_display = ("user", "kind", "device", "last_seen_at", "expires_at", "ended_at")
    list_filter = ("kind", ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email", "client")
    ordering = ("-last_seen_at",)
    fields = readonly_fields = (
        *("user", "kind", "device", "client"),
        *("created_at", "last_seen_at", "expires_at", "ended_at"),
    )
    actions = ("end_now",)

    @admin.display(description=_("device"), ordering="client")
    def device(self, sign_in: SignIn) -> str:
        return sign_in.client_name

    @admin.action(description=_("End session"), permissions=["end"])
    def end_now(self, request: HttpRequest, sign_ins: QuerySet[SignIn]) -> None:
        done = 0
        for sign_in in sign_ins:
            if may_change(request, sign_in.user):
                done += actions.end_sign_in(sign_in.sid)
            else:
                error = _("You don’t have permission to change this account: %s.") % sign_in.user
                self.message_user(request, error, messages.WARNING)
        sentence = ngettext("Ended %d session.", "Ended %d sessions.", done)
        self.message_user(request, sentence % done, messages.SUCCESS)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_signin")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
