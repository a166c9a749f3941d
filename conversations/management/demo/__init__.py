"""Demo data: a team and a month of its conversations, for trying Chatty out and for screenshots.

`talk/` has a file for each conversation, `script.py` parses them, and `player.py` stores their messages with
the normal actions.
"""
