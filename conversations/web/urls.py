"""Addresses of the pages. Those that take only POST stand below the page they belong to."""

from django.urls import include, path

from conversations.web import conversation_page, messages, pwa, settings

app_name = "conversations"

conversation = [
    path("", conversation_page.conversation, name="conversation"),
    path("messages/", messages.send, name="send"),
    path("join/", settings.join, name="join"),
    path("leave/", settings.leave, name="leave"),
    path("settings/", settings.settings, name="settings"),
    path("archive/", settings.archive, name="archive"),
    path("unarchive/", settings.unarchive, name="unarchive"),
    path("delete/", settings.delete, name="delete"),
    path("members/", settings.members, name="members"),
    path("members/<int:user_id>/remove/", settings.remove_member, name="remove_member"),
    path("members/<int:user_id>/role/", settings.change_role, name="change_role"),
    path("members/<int:user_id>/allow/", settings.allow_to_join, name="allow_to_join"),
    path("read/", settings.read, name="read"),
    path("unread/", settings.unread, name="unread"),
    path("level/", settings.level, name="level"),
]

message = [
    path("", conversation_page.message, name="message"),
    path("edit/", messages.edit, name="edit"),
    path("delete/", messages.delete, name="delete_message"),
    path("react/", messages.react, name="react"),
]

urlpatterns = [
    path("", conversation_page.home, name="home"),
    path("manifest.webmanifest", pwa.manifest, name="manifest"),
    path("service-worker.js", pwa.service_worker, name="service_worker"),
    path("offline/", pwa.offline, name="offline"),
    path("share/", pwa.share, name="share"),
    path("settings/notifications/", pwa.notifications, name="notifications"),
    path("c/browse/", conversation_page.browse, name="browse"),
    path("c/new/", settings.new_group, name="new"),
    path("c/leave/", settings.leave_many, name="leave_many"),
    path("c/direct/", settings.new_direct, name="direct"),
    path("c/<int:conversation_id>/", include(conversation)),
    path("m/<int:message_id>/", include(message)),
]
