"""Limits of files that are the same in every installation."""

from __future__ import annotations

from datetime import timedelta

PIECE_MAX = 1024 * 1024  # bytes of a piece
NAME_MAX = 150  # code points of a name
UNFINISHED_MAX = 100  # uploads of a person that no message has yet
KEPT = timedelta(hours=24)  # how long an upload waits to be sent

# Of a picture. Decoding takes up to four bytes for each pixel, and a small file can have very many.
PIXELS_MAX = 50_000_000
FRAMES_MAX = 2_000
ANIMATION_PIXELS_MAX = 2_000_000_000  # of all frames: browsers decode them again and again

# The longer side of thumbnails, in pixels. A picture is shown at most 420 pixels wide, with up to two pixels
# of the screen for each.
THUMBNAILS = {"small": 840, "large": 1920}
# Pictures up to this size in bytes, and as small as a thumbnail, are their own thumbnail.
SMALL_PICTURE = 64 * 1024

PAGE_SIZE = 40  # of the files of a conversation
LARGEST = 10  # files in the settings of a person
