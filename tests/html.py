"""Parse pages as a browser does, so that tests do not depend on the formatting of templates."""

from __future__ import annotations

import json
import re
from typing import Any

from bs4 import BeautifulSoup, NavigableString, Tag


def parse(page: Any) -> BeautifulSoup:
    """Parse a response or its text, including the contents of <template>.

    lxml takes a fifth of html5lib's time. tests/markup.py checks whether pages are valid HTML.
    """
    source = page if isinstance(page, str) else page.content.decode()
    soup = BeautifulSoup(source, "lxml")
    for area in soup.find_all(["textarea", "pre"]):
        # Browsers ignore a line break right after these tags; lxml does not.
        first = area.contents[0] if area.contents else None
        if isinstance(first, NavigableString) and first.startswith("\n"):
            first.replace_with(first[1:])
    return soup


def visible(page: Any) -> str:
    """Return the page without its <template> elements."""
    soup = parse(page)
    for template in soup.select("template"):
        template.extract()
    return str(soup)


def script_templates(page: Any, client: Any) -> BeautifulSoup:
    """Return the templates that scripts of this page load."""
    text = page if isinstance(page, str) else page.content.decode()
    found = re.search(r'"(/templates/[^"]+\.js)"', text)
    assert found
    module = client.get(found[1]).content.decode()
    return parse(json.loads(module.removeprefix("export const TEMPLATES = ").rstrip(";\n")))


def one(part: Any, selector: str) -> Tag:
    """Return the only element of a page, or of a part of it, that matches the selector."""
    found = (part if isinstance(part, Tag) else parse(part)).select(selector)
    assert len(found) == 1, f"{len(found)} elements match {selector}"
    return found[0]


def words(part: Tag) -> str:
    """Return the text of an element in one line."""
    return " ".join(part.get_text().split())


def values(part: Any, selector: str, attribute: str = "value") -> list[str]:
    """Return this attribute of each element that matches the selector, in order."""
    soup = part if isinstance(part, Tag) else parse(part)
    return [str(element[attribute]) for element in soup.select(selector)]
