from django.urls import path

from accounts.web import settings, sign_in

app_name = "accounts"

urlpatterns = [
    path("sign-up/", sign_in.sign_up, name="sign_up"),
    path("sign-up/waiting/", sign_in.sign_up_waiting, name="sign_up_waiting"),
    path("sign-up/sent/", sign_in.sign_up_sent, name="sign_up_sent"),
    path("sign-up/link/", sign_in.sign_up_link, name="sign_up_link"),
    path("confirm/<str:token>/", sign_in.confirm, name="confirm"),
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("password/forgotten/", sign_in.password_reset, name="password_reset"),
    path("password/forgotten/sent/", sign_in.password_reset_done, name="password_reset_done"),
    path(
        "password/reset/<str:uid>/<str:token>/",
        sign_in.password_reset_confirm,
        name="password_reset_confirm",
    ),
    path("settings/profile/", settings.profile, name="profile"),
    path("settings/status/", settings.status, name="status"),
    path("settings/email/", settings.email, name="email"),
    path("settings/email/send/", settings.send_confirmation, name="send_confirmation"),
    path("settings/email/cancel/", settings.cancel_email_change, name="cancel_email_change"),
    path("settings/password/", settings.password_change, name="password_change"),
    path("settings/sign-ins/", settings.sign_ins, name="sign_ins"),
    path("settings/sign-ins/end-others/", settings.end_other_sign_ins, name="end_other_sign_ins"),
    path("settings/sign-ins/<str:sid>/end/", settings.end_sign_in, name="end_sign_in"),
]
