from django.urls import path

from conversations.join_requests.web import asking, deciding

app_name = "join_requests"

_CONVERSATION = "c/<int:conversation_id>/join-requests/"

urlpatterns = [
    path("ask/", asking.own_requests, name="own"),
    path("ask/withdraw/<int:conversation_id>/", asking.withdraw, name="withdraw"),
    path("ask/<str:token>/", asking.ask, name="ask"),
    path(f"{_CONVERSATION}link/", deciding.make_link, name="make_link"),
    path(f"{_CONVERSATION}link/revoke/", deciding.revoke_link, name="revoke_link"),
    path(f"{_CONVERSATION}<int:user_id>/accept/", deciding.accept, name="accept"),
    path(f"{_CONVERSATION}<int:user_id>/decline/", deciding.decline, name="decline"),
    path(f"{_CONVERSATION}<int:user_id>/unblock/", deciding.unblock, name="unblock"),
]
