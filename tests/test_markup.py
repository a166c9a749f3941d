"""The HTML checker finds faults, and none in valid pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.markup import faults

TEMPLATES = Path(__file__).parent.parent / "templates"
LINE_MAX = 120  # as in pyproject.toml for djlint, which does not enforce it
PAGE = '<!doctype html><html lang="en"><title>Tea</title><body>{}</body></html>'


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("<p><div></div></p>", "unexpected-end-tag"),
        ("<b><i></b></i>", "adoption-agency"),
        ('<p class="a" class="b"></p>', "duplicate-attribute"),
        ("<ul><div></div></ul>", "<div> is a child of <ul>"),
        ('<b id="a"></b><i id="a"></i>', "id='a' stands 2 times"),
        ('<template><b id="a"></b><i id="a"></i></template>', "id='a' stands 2 times"),
        ('<label for="q">Q</label>', "nothing has the id 'q'"),
        ('<p aria-describedby="a b" id="b"></p>', "nothing has the id 'a'"),
        ('<a href="/"><button>Go</button></a>', "<button> stands in <a>"),
        ("<span><div></div></span>", "<div> stands in <span>"),
        ('<img src="x.png">', "has no alt"),
        ('<time datetime="2026-11-25T17:45:29.424476Z">now</time>', "is no moment"),
    ],
)
def test_faults_are_found(part: str, fault: str) -> None:
    assert fault in "\n".join(faults(PAGE.format(part)))


def test_valid_markup_has_no_faults() -> None:
    part = """
        <label for="q">Q</label> <input id="q" form="f" aria-describedby="h"> <form id="f"></form>
        <p id="h"><a href="#q"><span>words</span></a> <time datetime="2026-11-25T17:45:29.424Z"></time></p>
        <a href="/"><div>a block in a link that stands in none</div></a>
        <template><b id="q"></b><label for="later"></label></template>
        <template><b id="q"></b></template>
        <details><summary>More</summary><ul><li><button>Go</button></li></ul></details>
        <svg aria-hidden="true"><symbol id="i"><path d="M0 0"/></symbol><use href="#i"/></svg>
    """
    assert faults(PAGE.format(part)) == []


def test_page_needs_a_language_and_a_title() -> None:
    output = "\n".join(faults("<!doctype html><p>Tea</p>"))
    assert "names no language" in output
    assert "has no title" in output


def test_template_lines_are_short() -> None:
    """HTML can be wrapped inside of tags, and sentences inside of blocktranslate with "trimmed"."""
    paths = sorted(TEMPLATES.rglob("*.html"))
    assert len(paths) > 50
    long = [
        f"{path.relative_to(TEMPLATES)}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > LINE_MAX
    ]
    assert long == []


def test_template_tags_do_not_span_lines() -> None:
    """Django shows such a tag as text."""
    broken = [
        f"{path.relative_to(TEMPLATES)}:{number}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        if path.parent.name != "rows"  # minijinja's
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for start, end in (("{%", "%}"), ("{{", "}}"), ("{#", "#}"))
        if line.count(start) != line.count(end)
    ]
    assert broken == []
