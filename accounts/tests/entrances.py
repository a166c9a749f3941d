"""The entrances of accounts, see tests/entrances.py."""

from __future__ import annotations

from tests.entrances import Entrance, of_admin

_REST = [
    *(
        Entrance(f"api:{name}", "POST", "visit")
        for name in ("register", "register_link", "token", "token_refresh")
    ),
    Entrance("api:token_logout", "POST", "sign-out-program"),
    *(
        Entrance(f"api:{name}", method, "have-account")
        for name, methods in {
            "me": ("GET", "PATCH"),
            "me_email": ("POST", "DELETE"),
            "me_email_link": ("POST",),
            "me_picture": ("PUT", "DELETE"),
            "me_password": ("POST",),
            "me_sign_ins": ("GET",),
            "me_sign_in": ("DELETE",),
            "users": ("GET",),
            "user": ("GET",),
            "user_picture": ("GET",),
        }.items()
        for method in methods
    ),
]
_PAGES = [
    *(
        Entrance(f"accounts:{name}", method, "visit")
        for name in (
            *("sign_up", "sign_up_link", "confirm"),
            *("sign_in", "password_reset", "password_reset_confirm"),
        )
        for method in ("GET", "POST")
    ),
    *(
        Entrance(f"accounts:{name}", "GET", "visit")
        for name in ("sign_up_waiting", "sign_up_sent", "password_reset_done")
    ),
    Entrance("accounts:sign_out", "POST", "visit"),
    *(
        Entrance(f"accounts:{name}", method, "have-account")
        for name, methods in {
            "profile": ("GET", "POST"),
            "status": ("GET", "POST"),
            "email": ("GET", "POST"),
            "send_confirmation": ("POST",),
            "cancel_email_change": ("POST",),
            "password_change": ("GET", "POST"),
            "sign_ins": ("GET",),
            "end_other_sign_ins": ("POST",),
            "end_sign_in": ("POST",),
        }.items()
        for method in methods
    ),
]
_ADMIN = [
    *of_admin(
        "accounts_user",
        "accounts_signin",
        "accounts_signuprequest",
        "accounts_installationsettings",
    ),
    Entrance("admin:auth_user_password_change", "GET", "administer"),
    Entrance("admin:auth_user_password_change", "POST", "administer"),
    *(
        Entrance("admin-action", name, "administer")
        for name in (
            *("accounts_user.close_accounts", "accounts_user.reopen_accounts"),
            *("accounts_user.remove_pictures", "accounts_signin.end_now"),
            *("accounts_signuprequest.approve", "accounts_signuprequest.reject"),
        )
    ),
]

ENTRANCES = [*_REST, *_PAGES, *_ADMIN]
