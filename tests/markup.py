"""Check the HTML of a page: parse errors, and the rules that are broken most easily.

The parser follows the standard and is written in Python, so that it runs wherever the tests do. It is not a
complete validator: `npx vnu-jar` and `npx html-validate` know more rules, and found nothing else on these
pages.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import html5lib

# Elements that contain only phrasing content, and those that must not be in them. A link can contain what its
# parent can.
_PHRASING_ONLY = re.compile("p|h[1-6]|span|button|label|strong|em|small|code|time|pre")
_BLOCK = re.compile(
    "address|article|aside|blockquote|details|dialog|div|dl|fieldset|figure|footer|form|h[1-6]|header|hr"
    "|main|nav|ol|p|pre|search|section|table|ul"
)
_INTERACTIVE = re.compile("a|button|input|select|textarea")
_CHILDREN = {
    "ul": {"li", "template", "script"},
    "ol": {"li", "template", "script"},
    "dl": {"dt", "dd", "div", "template", "script"},
    "select": {"option", "optgroup", "hr"},
}
_REFERENCES = (
    "for",
    "form",
    "list",
    "aria-labelledby",
    "aria-describedby",
    "aria-controls",
    "aria-owns",
)
# https://html.spec.whatwg.org/#valid-global-date-and-time-string, or only a date.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:?\d\d))?")


def faults(source: str) -> list[str]:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    root = parser.parse(source)
    lines = source.splitlines() or [""]
    wrong = [
        f"{code} {details or ''} in line {line}: {lines[min(line, len(lines)) - 1].strip()[:80]}"
        for (line, _column), code, details in parser.errors
    ]
    if not (root.get("lang") or "").strip():
        wrong.append("<html> names no language")
    if not "".join(title.text or "" for title in root.iter("title")).strip():
        wrong.append("the page has no title")
    return [*wrong, *_scope(root)]


def _scope(root: Element) -> Iterator[str]:
    """Check the rules within a page. The content of a <template> is a page of its own, filled in later."""
    elements = list(_within(root))
    ids = Counter(element.get("id", "") for element in elements if "id" in element.attrib)
    for name, count in ids.items():
        if not name or re.search(r"\s", name) or count > 1:
            yield f"id={name!r} stands {count} times"
    is_page = root.tag == "html"
    for element in elements:
        if is_page:
            for attribute in _REFERENCES:
                for name in element.get(attribute, "").split():
                    if name not in ids:
                        yield f"{_shown(element)}: nothing has the id {name!r}"
        if element.tag == "img" and "alt" not in element.attrib:
            yield f"{_shown(element)} has no alt"
        when = element.get("datetime")
        if when and not _MOMENT.fullmatch(when):
            yield f"{_shown(element)}: {when!r} is no moment"
        allowed = _CHILDREN.get(str(element.tag))
        for child in element:
            if allowed and child.tag not in allowed and isinstance(child.tag, str):
                yield f"{_shown(child)} is a child of {_shown(element)}"
    yield from _nesting(root, phrasing=None, interactive=None)
    for template in root.iter("template"):
        if template is not root:
            yield from _scope(template)


def _within(root: Element) -> Iterator[Element]:
    yield root
    for child in root:
        if isinstance(child.tag, str) and child.tag != "template":
            yield from _within(child)


def _nesting(
    element: Element, *, phrasing: Element | None, interactive: Element | None
) -> Iterator[str]:
    if _PHRASING_ONLY.fullmatch(element.tag):
        phrasing = element
    if _INTERACTIVE.fullmatch(element.tag):
        interactive = element
    for child in element:
        if not isinstance(child.tag, str) or child.tag == "template":
            continue
        if phrasing is not None and _BLOCK.fullmatch(child.tag):
            yield f"{_shown(child)} stands in {_shown(phrasing)}"
        hidden = child.tag == "input" and child.get("type") == "hidden"
        if interactive is not None and _INTERACTIVE.fullmatch(child.tag) and not hidden:
            yield f"{_shown(child)} stands in {_shown(interactive)}"
        yield from _nesting(child, phrasing=phrasing, interactive=interactive)


def _shown(element: Element) -> str:
    about = "".join(
        f' {name}="{element.get(name)}"' for name in ("id", "class") if element.get(name)
    )
    return f"<{element.tag}{about}>"
