"""URLs of the pages. Those that only accept POST are below the page they belong to."""

from django.urls import include, path

from conversations.web import (
    conversation_page,
    dates,
    help_page,
    home,
    installation_page,
    members,
    membership,
    message_page,
    messages,
    new_conversations,
    newcomers,
    notifications_page,
    people,
    pwa,
    script_templates,
    settings,
)

app_name = "conversations"

conversation = [
    path("", conversation_page.conversation, name="conversation"),
    path("messages/", messages.send, name="send"),
    path("dates/", dates.dates, name="dates"),
    path("join/", membership.join, name="join"),
    path("leave/", membership.leave, name="leave"),
    path("settings/", settings.settings, name="settings"),
    path("permissions/", settings.permissions, name="permissions"),
    path("archive/", settings.archive, name="archive"),
    path("unarchive/", settings.unarchive, name="unarchive"),
    path("delete/", settings.delete, name="delete"),
    path("members/", members.members, name="members"),
    path("members/<int:user_id>/remove/", members.remove_member, name="remove_member"),
    path("members/<int:user_id>/role/", members.change_role, name="change_role"),
    path("members/<int:user_id>/allow/", members.allow_to_join, name="allow_to_join"),
    path("read/", membership.read, name="read"),
    path("unread/", membership.unread, name="unread"),
    path("level/", membership.level, name="level"),
    path("favourite/", membership.favourite, name="favourite"),
    path("options/", membership.options, name="options"),
]

message = [
    path("", message_page.message, name="message"),
    path("edit/", messages.edit, name="edit"),
    path("delete/", messages.delete, name="delete_message"),
    path("react/", messages.react, name="react"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("manifest.webmanifest", pwa.manifest, name="manifest"),
    path("service-worker.js", pwa.service_worker, name="service_worker"),
    path("offline/", pwa.offline, name="offline"),
    path(
        "templates/<str:language>/<str:digest>.js",
        script_templates.script_templates,
        name="script_templates",
    ),
    path("help/", help_page.help_page, name="help"),
    path("share/", pwa.share, name="share"),
    path("settings/notifications/", notifications_page.notifications, name="notifications"),
    path("settings/installation/", installation_page.installation, name="installation"),
    path("settings/installation/test-mail/", installation_page.send_test_mail, name="test_mail"),
    path("c/browse/", home.browse, name="browse"),
    path("c/new/", new_conversations.new_group, name="new"),
    path("c/leave/", membership.leave_many, name="leave_many"),
    path("c/newcomer/hide/", newcomers.hide, name="hide_newcomer"),
    path("c/direct/", new_conversations.new_direct, name="direct"),
    path("c/<int:conversation_id>/", include(conversation)),
    path("people/<int:user_id>/", people.person, name="person"),
    path("m/<int:message_id>/", include(message)),
]
