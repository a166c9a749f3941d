"""Accounts, sessions, sign-ups and the settings of the installation in the admin site."""

from accounts.admin import installation, people, sign_up_requests

__all__ = ["installation", "people", "sign_up_requests"]
