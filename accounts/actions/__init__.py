"""All changes to accounts and sign-ins. Pages, REST, admin and commands use these functions.

Import them from this package, not from its modules.
"""

from accounts.actions.addresses import (
    cancel_email_change,
    change_email,
    send_confirmation,
    waits_for_confirmation,
)
from accounts.actions.authentication import authenticate, check_sign_in_lengths
from accounts.actions.clocks import bump_clock
from accounts.actions.closing import close_account, reopen_account
from accounts.actions.confirmations import confirm_address, confirmation_of
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
from accounts.actions.installation import change_installation
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
from accounts.actions.profiles import CLEANED, set_quiet_hours, set_status, update_profile
from accounts.actions.registration import (
    NewAccount,
    prepare_account,
    register,
    require_sign_up_offered,
    store_account,
)
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
from accounts.actions.sign_up_requests import (
    approve_sign_ups,
    reject_sign_ups,
    request_sign_up_link,
    sign_up,
)

__all__ = [
    "CLEANED",
    "NewAccount",
    "approve_sign_ups",
    "authenticate",
    "begin_token_sign_in",
    "begin_web_sign_in",
    "bump_clock",
    "cancel_email_change",
    "change_email",
    "change_installation",
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
    "confirm_address",
    "confirm_refresh",
    "confirmation_of",
    "end_own_sign_in",
    "end_sign_in",
    "end_sign_ins",
    "get_user_of_link",
    "hash_of_address",
    "prepare_account",
    "register",
    "reject_sign_ups",
    "remove_password",
    "reopen_account",
    "request_password_reset",
    "request_sign_up_link",
    "require_sign_up_offered",
    "reset_password",
    "reset_password_by_link",
    "rotate_refresh",
    "send_confirmation",
    "set_quiet_hours",
    "set_status",
    "sign_in_web",
    "sign_up",
    "store_account",
    "time_zones",
    "touch_sign_in",
    "update_profile",
    "waits_for_confirmation",
]
