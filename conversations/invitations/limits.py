"""Sizes and counts. Rates are settings: see chatty/conf/known_limits.py."""

from __future__ import annotations

NOTE_MAX = 200  # code points
CONVERSATIONS_MAX = 10  # conversations of one invitation
CHOICES_MAX = 50  # conversations that the page offers to choose from
DAYS = 7  # how long an invitation is valid, unless something else is chosen
DAYS_MAX = 90
USES_MAX = 1_000  # people who can join with a limited link
EMAILS_MAX = 50  # addresses at once
LIVE_MAX = 500  # valid invitations of one person
PEOPLE_SHOWN = 20  # people who are listed with an invitation that they used
