"""Custom emoji: pictures that people add under a name, for messages and reactions.

Names in texts and stored reactions are described in conversations/emoji.py, and the reasons in
docs/decisions/028-custom-emoji.md.
"""
