"""`python -m benchmarks.markdown`: CPU time of rendering, for messages that are expensive to parse."""

from __future__ import annotations

import os
import time

import django

BODIES = {
    "bold, mention, link (61 characters)": "Hi **everybody**, @Ada wrote https://example.org/a_b about",
    "list, quote, code, links (266)": (
        "See [the page](https://example.org) and `code`:\n\n- one\n- **two**\n"
        "- three https://example.org/x\n\n> quoted _words_\n> and more\n\n```\nprint(1)\n```\n"
        "Then some more words which say nothing new, and a last line with me@example.org in it."
        "\n1. first\n2. second\n\nThe end of all this, at last."
    ),
}
REPEATED = ["\n> -\nb", "\n> -\n[a]: ", "[", "http://[", "*a_", "![[]()", "a@b.cc ", "- a\n  - b\n"]
LENGTH = 4_000
BEST_OF = 7


def microseconds(body: str) -> float:
    from conversations import markdown

    best = float("inf")
    for _ in range(BEST_OF):
        began = time.thread_time()
        markdown.render(body)
        best = min(best, time.thread_time() - began)
    return best * 1e6


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    bodies = {**BODIES, **{f"{unit!r} repeated": unit * (LENGTH // len(unit)) for unit in REPEATED}}
    print("| body | microseconds |\n| --- | ---: |")
    for name, body in bodies.items():
        print(f"| `{name}` | {microseconds(body):,.0f} |")


if __name__ == "__main__":
    main()
