"""Pictures: their size, without metadata; and thumbnails.

The server reads the parts of a file, and never its pixels. What needs those, such as thumbnails, is made in a
process with limits of its own (limited.py).
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError
from conversations.attachments import limits
from conversations.attachments.media import decoder, limited
from conversations.attachments.media.containers import copy_clean
from conversations.attachments.media.copying import BrokenError, Cleaned
from conversations.attachments.media.orientation import is_turned

FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
}
_SECONDS = 20  # until it is tried again, on a busy machine; less than the lease of a job
# How the process ends if the picture is the reason.
_REFUSED = (limited.UNREADABLE, -signal.SIGXCPU, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)


@dataclass(frozen=True)
class Picture:
    """What was found out. `width` and `height`: as it is shown. `path`: the file to keep: the original, or a
    cleaned copy beside it."""

    width: int
    height: int
    animated: bool
    path: Path


def clean(path: Path, media_type: str) -> Picture:
    """Return the picture without metadata, except its orientation. Raises ChatError("bad_file"), and OSError
    if there is no space."""
    copied = path.with_name(f"{path.name}.clean")
    with contextlib.ExitStack() as undo:
        undo.callback(copied.unlink, missing_ok=True)
        with path.open("rb") as original, copied.open("w+b") as target:
            try:
                cleaned = copy_clean(media_type, original, target)
            except BrokenError:
                raise unreadable() from None
        require_possible(
            cleaned,
            pixels_max=limits.PIXELS_MAX,
            frames_max=limits.FRAMES_MAX,
            animation_pixels_max=limits.ANIMATION_PIXELS_MAX,
        )
        if cleaned.changed:
            undo.pop_all()
    width, height = cleaned.width, cleaned.height
    if is_turned(cleaned.orientation):
        width, height = height, width
    return Picture(width, height, cleaned.frames > 1, copied if cleaned.changed else path)


def require_possible(
    cleaned: Cleaned, *, pixels_max: int, frames_max: int, animation_pixels_max: int
) -> None:
    """Raise ChatError("bad_file") if decoding the picture could take too much. `animation_pixels_max`: of all
    frames."""
    pixels = cleaned.width * cleaned.height
    if pixels > pixels_max:
        sentence = _("This image is too large (max {max} megapixels).")
        raise ChatError("bad_file", format_lazy(sentence, max=pixels_max // 1_000_000))
    total = cleaned.frames * pixels if cleaned.frames > 1 else 0
    if cleaned.frames > frames_max or total > animation_pixels_max:
        raise ChatError("bad_file", _("This animation has too many frames."))


def make_thumbnails(path: Path, media_type: str, targets: Mapping[int, Path]) -> None:
    """Write a WebP for each longer side. Of an animation, they show the first frame. Takes up to 20 seconds.

    Raises ChatError: bad_file, storage_full, unavailable.
    """
    sides = [str(each) for side, target in targets.items() for each in (side, target)]
    kind, pixels = FORMATS[media_type], str(limits.PIXELS_MAX)
    try:
        run_limited(decoder.__file__, kind, pixels, str(path), *sides)
    except BrokenError:
        raise unreadable() from None


def run_limited(program: str, *arguments: str, given: bytes = b"") -> bytes:
    """Run main() of a program within the limits of limited.py, and return its output. Takes up to 20 seconds.

    `given`: its input. Raises BrokenError if the picture is the reason why it fails, and ChatError:
    storage_full, unavailable.
    """
    # As files: as modules, they would load what the packages around them need. -P: nor what is beside them.
    command = [sys.executable, "-P", limited.__file__, program, *arguments]
    try:
        done = subprocess.run(  # noqa: S603 (our own arguments, no shell)
            command,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
            start_new_session=True,  # Ctrl-C stops the server, which then waits for this
        )
    except (OSError, subprocess.TimeoutExpired) as error:  # not the fault of the picture
        raise ChatError("unavailable", retry_after=5) from error
    if done.returncode in _REFUSED:
        raise BrokenError
    if done.returncode == limited.DISK_FULL:
        raise ChatError("storage_full")
    if done.returncode:
        raise ChatError("unavailable", retry_after=5)
    return done.stdout


def unreadable() -> ChatError:
    return ChatError("bad_file", _("This picture is damaged, so Chatty can’t send it."))
