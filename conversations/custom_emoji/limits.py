"""Limits of custom emoji."""

from __future__ import annotations

KB_MAX = 128  # of an uploaded picture
BYTES_MAX = KB_MAX * 1024
SIDE = 128  # pixels of a stored picture, which is square
PIXELS_MAX = 4_000_000  # of an uploaded picture
FRAMES_MAX = 100
ANIMATION_PIXELS_MAX = 25_000_000  # of all frames
STORED_MAX = 512 * 1024  # bytes of a stored animation
NAME_MIN = 2  # characters: see EMOJI_NAME in conversations/emoji.py
NAME_MAX = 32
EMOJI_MAX = 1_000  # that can be used, in this installation
FORMER_MAX = 10  # former names by which an emoji is still found
PAGE = 100  # emoji on one page of the settings
