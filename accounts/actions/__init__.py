"""All changes to accounts and sign-ins. Pages, REST, admin and commands use these functions.

Import them from this package, not from its modules.
"""

from accounts.actions.authentication import authenticate, check_sign_in_lengths
from accounts.actions.clocks import bump_clock
from accounts.actions.closing import close_account, reopen_account
from accounts.actions.fields import (
    clean_client,
    clean_contrast,
    clean_email,
    clean_hue,
    clean_language,
    clean_name,
    clean_theme,
    clean_time_zone,
    time_zones,
)
from accounts.actions.passwords import (
    change_password,
    change_password_in_session,
    check_password_rules,
    get_user_of_link,
    remove_password,
    request_password_reset,
    reset_password,
    reset_password_by_link,
)
from accounts.actions.profiles import CLEANED, update_profile
from accounts.actions.registration import register, require_sign_up_open
from accounts.actions.sign_ins import (
    begin_token_sign_in,
    begin_web_sign_in,
    confirm_refresh,
    end_own_sign_in,
    end_sign_in,
    end_sign_ins,
    hash_of_address,
    rotate_refresh,
    sign_in_web,
    touch_sign_in,
)

__all__ = [
    "CLEANED",
    "authenticate",
    "begin_token_sign_in",
    "begin_web_sign_in",
    "bump_clock",
    "change_password",
    "change_password_in_session",
    "check_password_rules",
    "check_sign_in_lengths",
    "clean_client",
    "clean_contrast",
    "clean_email",
    "clean_hue",
    "clean_language",
    "clean_name",
    "clean_theme",
    "clean_time_zone",
    "close_account",
    "confirm_refresh",
    "end_own_sign_in",
    "end_sign_in",
    "end_sign_ins",
    "get_user_of_link",
    "hash_of_address",
    "register",
    "remove_password",
    "reopen_account",
    "request_password_reset",
    "require_sign_up_open",
    "reset_password",
    "reset_password_by_link",
    "rotate_refresh",
    "sign_in_web",
    "time_zones",
    "touch_sign_in",
    "update_profile",
]
