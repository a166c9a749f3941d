from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CustomEmojiConfig(AppConfig):
    name = "conversations.custom_emoji"
    label = "custom_emoji"
    verbose_name = _("Custom emoji")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        capabilities = import_module("conversations.capabilities")
        queries = import_module("conversations.custom_emoji.queries")
        rules = import_module("conversations.custom_emoji.rules")
        capabilities.register_custom_emoji(queries.Source())
        capabilities.register_action(rules.ADD_EMOJI)
