"""Invitations: links that let people sign up and join conversations.

`tokens.py` makes the secrets in links, of which only hashes are stored. `rules.py` decides who can invite,
and whether a link is still good. `actions/` create, send, revoke and accept invitations.
"""
