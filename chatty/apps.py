from django.apps import AppConfig


class ChattyConfig(AppConfig):
    name = "chatty"

    def ready(self) -> None:
        from chatty.conf import checks  # noqa: F401 (registers itself)
