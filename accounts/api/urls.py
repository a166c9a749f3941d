from django.urls import path

from accounts.api import views

urlpatterns = [
    path("register/", views.RegisterView.as_view(), name="register"),
    path("register/link/", views.RegisterLinkView.as_view(), name="register_link"),
    path("token/", views.TokenView.as_view(), name="token"),
    path("token/refresh/", views.RefreshView.as_view(), name="token_refresh"),
    path("token/logout/", views.LogoutView.as_view(), name="token_logout"),
    path("me/", views.MeView.as_view(), name="me"),
    path("me/email/", views.MyEmailView.as_view(), name="me_email"),
    path("me/email/link/", views.MyEmailLinkView.as_view(), name="me_email_link"),
    path("me/picture/", views.MyPictureView.as_view(), name="me_picture"),
    path("me/password/", views.PasswordView.as_view(), name="me_password"),
    path("me/sign-ins/", views.SignInsView.as_view(), name="me_sign_ins"),
    path("me/sign-ins/<str:sid>/", views.SignInView.as_view(), name="me_sign_in"),
    path("users/", views.PeopleView.as_view(), name="users"),
    path("users/<int:user>/", views.PersonView.as_view(), name="user"),
    path(
        "users/<int:user>/picture/<str:digest>/",
        views.PictureView.as_view(),
        name="user_picture",
    ),
]
