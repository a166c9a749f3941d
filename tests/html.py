"""Pages as a browser reads them: tests ask for elements, however the lines of a template are broken."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup, NavigableString, Tag


def parse(page: Any) -> BeautifulSoup:
    """Return the whole page of a response, or of its text, including the content of templates.

    lxml takes a fifth of html5lib's time. Whether a page is valid HTML is tests/markup.py's business.
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
    """The page without its templates, which hold one of everything."""
    soup = parse(page)
    for template in soup.select("template"):
        template.extract()
    return str(soup)


def one(part: Any, selector: str) -> Tag:
    """The only element in a page, or in a part of it, that the selector finds."""
    found = (part if isinstance(part, Tag) else parse(part)).select(selector)
    assert len(found) == 1, f"{len(found)} elements are {selector}"
    return found[0]


def words(part: Tag) -> str:
    """What an element says, in one line."""
    return " ".join(part.get_text().split())


def values(part: Any, selector: str, attribute: str = "value") -> list[str]:
    """What this attribute says on each element that the selector finds, in their order."""
    soup = part if isinstance(part, Tag) else parse(part)
    return [str(element[attribute]) for element in soup.select(selector)]
