from django.urls import path

from conversations.invitations.api import views

urlpatterns = [
    path("invitations/", views.InvitationsView.as_view(), name="invitations"),
    path("invitations/email/", views.EmailsView.as_view(), name="invitation_emails"),
    path("invitations/look-up/", views.LookUpView.as_view(), name="invitation_look_up"),
    path("invitations/accept/", views.AcceptView.as_view(), name="invitation_accept"),
    path("invitations/register/", views.RegisterView.as_view(), name="invitation_register"),
    path("invitations/<int:invitation>/", views.InvitationView.as_view(), name="invitation"),
    path("invitations/<int:invitation>/link/", views.LinkView.as_view(), name="invitation_link"),
]
