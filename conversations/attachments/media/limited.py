"""Runs a program that decodes a picture, as a process of its own: a picture that needs too much time or
memory, or breaks the decoder, ends this process and nothing else. See pictures.run_limited().

Its arguments are the path of the program, and those of its main().
"""

from __future__ import annotations

import contextlib
import os
import resource
import runpy
import sys

SECONDS = 10  # of the processor
MEMORY = 1536 * 1024 * 1024  # bytes: 50 megapixels take up to 200 MB, several times
UNREADABLE, DISK_FULL = 3, 4  # what the process returns


def limit() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS has no limit of memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # SIGXCPU, and only then SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    os.nice(5)  # messages come first


if __name__ == "__main__":
    limit()
    try:
        runpy.run_path(sys.argv[1])["main"](*sys.argv[2:])
    except OSError as error:
        # Pillow raises OSError for broken pictures, too, but then there is no error of the system.
        sys.exit(UNREADABLE if error.errno is None else DISK_FULL)
    except Exception:  # decoders raise all kinds of exceptions for broken files
        sys.exit(UNREADABLE)
