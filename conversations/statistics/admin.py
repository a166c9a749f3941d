"""The front page of the admin site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from conversations.statistics import overview, plots

_index = admin.site.index


def index(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
    more = {
        "title": _("Overview"),
        "overview": overview.look(),
        "plot_width": int(plots.WIDTH),
        "plot_height": int(plots.HEIGHT),
    }
    return _index(request, {**(extra_context or {}), **more})


admin.site.index = index  # type: ignore[method-assign]
