"""Addresses of the pages. Those that take only POST stand below the page they belong to."""

from django.urls import include, path

from conversations.views import device, managing, reading, writing

app_name = "conversations"

conversation = [
    path("", reading.conversation, name="conversation"),
    path("messages/", writing.send, name="send"),
    path("join/", managing.join, name="join"),
    path("leave/", managing.leave, name="leave"),
    path("settings/", managing.settings, name="settings"),
    path("archive/", managing.archive, name="archive"),
    path("unarchive/", managing.unarchive, name="unarchive"),
    path("delete/", managing.delete, name="delete"),
    path("members/", managing.members, name="members"),
    path("members/<int:user_id>/remove/", managing.remove_member, name="remove_member"),
    path("members/<int:user_id>/role/", managing.change_role, name="change_role"),
    path("members/<int:user_id>/allow/", managing.allow_to_join, name="allow_to_join"),
    path("read/", managing.read, name="read"),
    path("unread/", managing.unread, name="unread"),
    path("level/", managing.level, name="level"),
]

message = [
    path("", reading.message, name="message"),
    path("edit/", writing.edit, name="edit"),
    path("delete/", writing.delete, name="delete_message"),
    path("react/", writing.react, name="react"),
]

urlpatterns = [
    path("", reading.home, name="home"),
    path("manifest.webmanifest", device.manifest, name="manifest"),
    path("service-worker.js", device.service_worker, name="service_worker"),
    path("offline/", device.offline, name="offline"),
    path("share/", device.share, name="share"),
    path("settings/notifications/", device.notifications, name="notifications"),
    path("c/browse/", reading.browse, name="browse"),
    path("c/new/", managing.new_group, name="new"),
    path("c/leave/", managing.leave_many, name="leave_many"),
    path("c/direct/", managing.new_direct, name="direct"),
    path("c/<int:conversation_id>/", include(conversation)),
    path("m/<int:message_id>/", include(message)),
]
