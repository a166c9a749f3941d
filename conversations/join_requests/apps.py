from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JoinRequestsConfig(AppConfig):
    name = "conversations.join_requests"
    label = "join_requests"
    verbose_name = _("Requests to join")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("conversations.join_requests.receivers")
        capabilities = import_module("conversations.capabilities")
        rules = import_module("conversations.join_requests.rules")
        capabilities.register_action(rules.ACCEPT)
        capabilities.register_action(rules.ANSWER)
        capabilities.register_slot("people-first", "join_requests/_asking.html")
        capabilities.register_slot("people-last", "join_requests/_members.html")
        capabilities.register_slot("people-tool", "join_requests/_number.html")
