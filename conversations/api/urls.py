from django.urls import include, path

from conversations.api import membership_views, views

conversation = [
    path("", views.ConversationView.as_view(), name="conversation"),
    path("join/", views.JoinView.as_view(), name="join"),
    path("leave/", views.LeaveView.as_view(), name="leave"),
    path("members/", views.MembersView.as_view(), name="members"),
    path("members/<int:user>/", views.MemberView.as_view(), name="member"),
    path("removals/", views.RemovalsView.as_view(), name="removals"),
    path("removals/<int:user>/", views.RemovalView.as_view(), name="removal"),
    path("read/", membership_views.ReadView.as_view(), name="read"),
    path("unread/", membership_views.UnreadView.as_view(), name="unread"),
    path("level/", membership_views.LevelView.as_view(), name="level"),
    path("favourite/", membership_views.FavouriteView.as_view(), name="favourite"),
    path("messages/", views.MessagesView.as_view(), name="messages"),
]

message = [
    path("", views.MessageView.as_view(), name="message"),
    path("reactions/<str:emoji>/", views.ReactionView.as_view(), name="reaction"),
]

urlpatterns = [
    path("conversations/", views.ConversationsView.as_view(), name="conversations"),
    path("conversations/browse/", views.BrowseView.as_view(), name="browse"),
    path("conversations/direct/", views.DirectView.as_view(), name="direct"),
    path("conversations/<int:conversation>/", include(conversation)),
    path("messages/<int:message>/", include(message)),
]
