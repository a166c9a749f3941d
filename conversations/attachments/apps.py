from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AttachmentsConfig(AppConfig):
    name = "conversations.attachments"
    label = "attachments"
    verbose_name = _("Files")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        capabilities = import_module("conversations.capabilities")
        rules = import_module("conversations.attachments.rules")
        capabilities.register_action(rules.SEND_FILES)
        import_module("conversations.attachments.part").register()
        import_module("conversations.attachments.actions.uploading").register()
        capabilities.register_slot("composer-fields", "attachments/_composer_field.html")
        capabilities.register_slot("composer-tools", "attachments/_composer_tool.html")
        capabilities.register_slot("conversation-tools", "attachments/_conversation_tool.html")
