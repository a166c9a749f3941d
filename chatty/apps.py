from django.apps import AppConfig


class ChattyConfig(AppConfig):
    name = "chatty"

    def ready(self) -> None:
        from chatty import checks  # noqa: F401 (registers itself)
