"""Loads templates without what is only for people who read the source: the indentation of lines, and the ends
of lines that consist of tags which show nothing themselves."""

from __future__ import annotations

import re

from django.template import Origin
from django.template.loaders import filesystem

_INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
# Not the first line of a file: it can be included in the middle of a line. Of others, the end of the line
# before remains.
_TAGS_ALONE = re.compile(
    r"(?<=\n)((?:\{#[^\n]*?#\}"
    r"|\{% (?:load|if|elif|else|endif|for|empty|endfor|with|endwith|block|endblock)\b[^\n%]*%\})+)\n"
)


class Loader(filesystem.Loader):
    def get_contents(self, origin: Origin) -> str:
        contents = super().get_contents(origin)
        if not origin.name.endswith(".html"):
            return contents
        return _TAGS_ALONE.sub(r"\1", _INDENTATION.sub("", contents))
