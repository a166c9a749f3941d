from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InvitationsConfig(AppConfig):
    name = "conversations.invitations"
    label = "invitations"
    verbose_name = _("Invitations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        capabilities = import_module("conversations.capabilities")
        rules = import_module("conversations.invitations.rules")
        import_module("conversations.invitations.emails").register()
        import_module("conversations.invitations.upkeep").register()
        capabilities.register_action(rules.INVITE)
        capabilities.register_slot("sidebar-last", "invitations/_sidebar_last.html")
        capabilities.register_slot("people-first", "invitations/_members_offer.html")
        capabilities.register_slot("beginning", "invitations/_beginning_offer.html")
        capabilities.register_slot("newcomer", "invitations/_newcomer_offer.html")
        capabilities.register_slot("new-message", "invitations/_new_message_offer.html")
        capabilities.register_slot("installation", "invitations/_installation_offer.html")
