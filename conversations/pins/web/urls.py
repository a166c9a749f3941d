from django.urls import path

from conversations.pins.web import pins_page

app_name = "pins"

urlpatterns = [
    path("c/<int:conversation_id>/pins/", pins_page.pins, name="pins"),
    path("m/<int:message_id>/pin/", pins_page.pin, name="pin"),
]
