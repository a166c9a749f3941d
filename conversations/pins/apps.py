from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PinsConfig(AppConfig):
    name = "conversations.pins"
    label = "pins"
    verbose_name = _("Pinned messages")

    def ready(self) -> None:
        capabilities = import_module("conversations.capabilities")
        rules = import_module("conversations.pins.rules")
        capabilities.register_action(rules.PIN)
        capabilities.register_slot("conversation-tools", "pins/_conversation_tool.html")
        capabilities.register_slot("message-actions", "pins/_message_action.html")
        capabilities.register_slot("settings-first", "pins/_settings_link.html")
