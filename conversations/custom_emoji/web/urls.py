from django.urls import path

from conversations.custom_emoji.web import emoji_page, serving

app_name = "custom_emoji"

urlpatterns = [
    path("settings/emoji/", emoji_page.emoji_list, name="emoji"),
    path("settings/emoji/<int:emoji_id>/rename/", emoji_page.rename, name="rename"),
    path("settings/emoji/<int:emoji_id>/remove/", emoji_page.remove, name="remove"),
    path("emoji/<str:address>/", serving.picture, name="picture"),
    path("emoji/<str:address>/still/", serving.still, name="still"),
]
