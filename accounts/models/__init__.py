"""Tables of accounts. Import models from this package, not from its modules."""

from accounts.models.confirmations import AddressConfirmation
from accounts.models.installation import (
    INSTALLATION_NAME_MAX,
    WELCOME_MAX,
    InstallationSettings,
    SignUpPolicy,
)
from accounts.models.people import (
    EMAIL_MAX,
    HUES,
    NAME_MAX,
    PASSWORD_MAX,
    STATUS_EMOJI_MAX,
    STATUS_MAX,
    TITLE_MAX,
    Contrast,
    Density,
    LiveSignIns,
    Picture,
    SignIn,
    Theme,
    TimeFormat,
    User,
    UserManager,
    new_sid,
    normal_email,
)
from accounts.models.sign_up import NOTE_MAX, SignUpRequest

__all__ = [
    "EMAIL_MAX",
    "HUES",
    "INSTALLATION_NAME_MAX",
    "NAME_MAX",
    "NOTE_MAX",
    "PASSWORD_MAX",
    "STATUS_EMOJI_MAX",
    "STATUS_MAX",
    "TITLE_MAX",
    "WELCOME_MAX",
    "AddressConfirmation",
    "Contrast",
    "Density",
    "InstallationSettings",
    "LiveSignIns",
    "Picture",
    "SignIn",
    "SignUpPolicy",
    "SignUpRequest",
    "Theme",
    "TimeFormat",
    "User",
    "UserManager",
    "new_sid",
    "normal_email",
]
