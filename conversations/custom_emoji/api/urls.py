from django.urls import path

from conversations.custom_emoji.api import views

urlpatterns = [
    path("emoji/", views.EmojiListView.as_view(), name="emoji_list"),
    path("emoji/<int:custom_emoji>/", views.EmojiView.as_view(), name="emoji"),
]
