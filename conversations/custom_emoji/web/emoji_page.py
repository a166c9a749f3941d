"""The settings page of custom emoji: those there are, adding, renaming and removing them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.pages import SeeOther, validated, with_status
from conversations.custom_emoji import actions, limits, pictures, queries, rules
from conversations.custom_emoji.models import CustomEmoji
from conversations.emoji import picture_html
from conversations.web.forms import Line
from conversations.web.signed_in import member_view


class AddForm(forms.Form):
    key = forms.CharField(widget=forms.HiddenInput)
    picture = forms.FileField(
        label=gettext_lazy("Picture"),
        allow_empty_file=True,  # the action reports it with all other invalid files
        widget=forms.FileInput(attrs={"accept": ",".join(pictures.MEDIA_TYPES)}),
        help_text=format_lazy(
            gettext_lazy("PNG, JPEG, WebP or GIF, up to {max} KB. Square ones look best."),
            max=limits.KB_MAX,
        ),
    )
    name = Line(
        label=gettext_lazy("Name"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
        help_text=gettext_lazy(
            "What people type between two colons. By default, the name of the file."
        ),
    )


class RenameForm(forms.Form):
    name = Line(
        label=gettext_lazy("Name"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    emoji: CustomEmoji
    picture: SafeString
    may_change: bool


@member_view("GET", "POST")
def emoji_list(request: HttpRequest) -> HttpResponse:
    user = current_user(request)
    if request.method != "POST":
        return _page(request, AddForm(initial={"key": secrets.token_urlsafe(18)}))
    form = AddForm(request.POST, request.FILES)
    try:
        with validated(form):
            file: UploadedFile = form.cleaned_data["picture"]
            if (file.size or 0) > limits.BYTES_MAX:
                raise pictures.too_big()
            name = form.cleaned_data["name"].strip() or rules.name_of_file(file.name or "")
            key = form.cleaned_data["key"]
            emoji, _is_new = actions.add(user, key=key, name=name, picture=file.read())
    except ChatError as error:
        return with_status(_page(request, form), error)
    messages.success(request, _("Emoji %(emoji)s added.") % {"emoji": emoji})
    return SeeOther(reverse("custom_emoji:emoji"))


def _page(request: HttpRequest, form: AddForm) -> HttpResponse:
    user = current_user(request)
    after = request.GET.get("after", "")[: limits.NAME_MAX].replace("\x00", "")
    rows, has_more = queries.page(after)
    context = {
        "current_page": "emoji",
        "form": form,
        "can_add": rules.may_add(user),
        "rows": [_Row(each, _drawn(each), rules.may_change(user, each)) for each in rows],
        "more": rows[-1].name if has_more else "",
    }
    return render(request, "custom_emoji/emoji.html", context)


def _drawn(emoji: CustomEmoji) -> SafeString:
    return mark_safe(picture_html(str(emoji), emoji.picture_id))


@member_view("GET", "POST")
def rename(request: HttpRequest, emoji_id: int) -> HttpResponse:
    user = current_user(request)
    emoji = queries.get(emoji_id)
    rules.require_may_change(user, emoji)
    form = RenameForm(request.POST or None, initial={"name": emoji.name})
    if request.method == "POST":
        try:
            with validated(form):
                emoji = actions.rename(user, emoji_id, form.cleaned_data["name"])
        except ChatError as error:
            return with_status(_rename_page(request, emoji, form), error)
        messages.success(request, _("Emoji renamed to %(emoji)s.") % {"emoji": emoji})
        return SeeOther(reverse("custom_emoji:emoji"))
    return _rename_page(request, emoji, form)


def _rename_page(request: HttpRequest, emoji: CustomEmoji, form: RenameForm) -> HttpResponse:
    return _of_one(request, "custom_emoji/rename.html", emoji, form=form)


@member_view("GET", "POST")
def remove(request: HttpRequest, emoji_id: int) -> HttpResponse:
    """Ask before removing an emoji."""
    user = current_user(request)
    emoji = queries.get(emoji_id)
    rules.require_may_change(user, emoji)
    if request.method == "POST":
        actions.remove(user, emoji_id)
        messages.success(request, _("Emoji %(emoji)s removed.") % {"emoji": emoji})
        return SeeOther(reverse("custom_emoji:emoji"))
    return _of_one(request, "custom_emoji/remove.html", emoji)


def _of_one(
    request: HttpRequest, template: str, emoji: CustomEmoji, **context: Any
) -> HttpResponse:
    return render(request, template, {"emoji": emoji, "picture": _drawn(emoji), **context})
