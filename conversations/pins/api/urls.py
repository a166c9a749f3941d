from django.urls import path

from conversations.pins.api import views

urlpatterns = [
    path("conversations/<int:conversation>/pins/", views.PinsView.as_view(), name="pins"),
    path("messages/<int:message>/pin/", views.PinView.as_view(), name="pin"),
]
