from django.urls import path

from conversations.invitations.web import accept_page, invitations_page

app_name = "invitations"

urlpatterns = [
    # The secret is left out of logs by the beginning of this path: SECRET_PATHS in chatty/ops/logs.py.
    path("invite/<str:token>/", accept_page.invite, name="invite"),
    path("invitations/", invitations_page.invitations, name="invitations"),
    path("invitations/email/", invitations_page.send_emails, name="send_emails"),
    path("invitations/<int:invitation_id>/link/", invitations_page.renew_link, name="renew_link"),
    path("invitations/<int:invitation_id>/revoke/", invitations_page.revoke, name="revoke"),
]
