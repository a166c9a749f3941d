from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SearchConfig(AppConfig):
    name = "conversations.search"
    label = "search"
    verbose_name = _("Search")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("conversations.search.reader").register()
        import_module("conversations.search.jobs").register()
        capabilities = import_module("conversations.capabilities")
        capabilities.register_slot("sidebar-tools", "search/_sidebar_tool.html")
        capabilities.register_slot("conversation-tools", "search/_conversation_tool.html")
