from django.urls import path

from accounts.web import views

app_name = "accounts"

urlpatterns = [
    path("sign-up/", views.sign_up, name="sign_up"),
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("password/forgotten/", views.forgotten, name="forgotten"),
    path("password/forgotten/sent/", views.forgotten_sent, name="forgotten_sent"),
    path("password/reset/<str:uid>/<str:token>/", views.reset, name="reset"),
    path("settings/profile/", views.profile, name="profile"),
    path("settings/password/", views.password, name="password"),
    path("settings/sign-ins/", views.sign_ins, name="sign_ins"),
    path("settings/sign-ins/end-others/", views.end_other_sign_ins, name="end_other_sign_ins"),
    path("settings/sign-ins/<str:sid>/end/", views.end_sign_in, name="end_sign_in"),
]
