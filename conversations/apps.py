from collections.abc import Iterable

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    name = "conversations"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = _("Conversations")

    def ready(self) -> None:
        from chatty.assets import build
        from conversations.actions import ownership, welcoming  # noqa: F401 - connect their receivers
        from conversations.realtime import profiles, sign_outs  # noqa: F401 - connect their receivers

        build.register(_script_templates)


def _script_templates() -> Iterable[str]:
    from conversations.web import script_templates  # not in ready(): commands do without it

    return script_templates.urls()
