from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Conversations"

    def ready(self) -> None:
        from conversations.realtime import profiles, sign_outs  # noqa: F401 - connect their receivers
