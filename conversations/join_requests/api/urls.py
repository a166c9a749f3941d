from django.urls import path

from conversations.join_requests.api import views

_CONVERSATION = "conversations/<int:conversation>/"

urlpatterns = [
    path("join-requests/", views.OwnRequestsView.as_view(), name="join_requests"),
    path("join-requests/<int:conversation>/", views.OwnRequestView.as_view(), name="join_request"),
    path(f"{_CONVERSATION}join-link/", views.LinkView.as_view(), name="join_link"),
    path(f"{_CONVERSATION}join-requests/", views.RequestsView.as_view(), name="requests_to_join"),
    path(
        f"{_CONVERSATION}join-requests/<int:user>/accept/",
        views.AcceptView.as_view(),
        name="accept_request",
    ),
    path(
        f"{_CONVERSATION}join-requests/<int:user>/decline/",
        views.DeclineView.as_view(),
        name="decline_request",
    ),
    path(
        f"{_CONVERSATION}join-requests/<int:user>/unblock/",
        views.UnblockView.as_view(),
        name="unblock_request",
    ),
]
