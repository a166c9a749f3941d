"""Markdown -> HTML that can be shown to others: what is formatted, and what can never come through."""

from __future__ import annotations

import html
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversations import limits, markdown
from conversations.markdown import render


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Hello", "<p>Hello</p>"),
        ("One\ntwo", "<p>One<br>\ntwo</p>"),
        ("One\n\ntwo", "<p>One</p>\n<p>two</p>"),
        ("a **b** *c* ~~d~~ `e`", "<p>a <strong>b</strong> <em>c</em> <s>d</s> <code>e</code></p>"),
        ("> said", "<blockquote>\n<p>said</p>\n</blockquote>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>'),
        ("```\n<b> &amp;\n```", "<pre><code>&lt;b&gt; &amp;amp;\n</code></pre>"),
        ("5 > 3 & 2 < 4", "<p>5 &gt; 3 &amp; 2 &lt; 4</p>"),
        ("# no heading", "<p># no heading</p>"),
        ("2 * 3 * 4", "<p>2 * 3 * 4</p>"),
        ("snake_case_name", "<p>snake_case_name</p>"),
    ],
)
def test_what_people_write_is_formatted(body, expected):
    assert render(body) == expected


@pytest.mark.parametrize(
    ("body", "href"),
    [
        ("see https://example.org/a?b=c&d=e now", "https://example.org/a?b=c&amp;d=e"),
        ("[here](https://example.org)", "https://example.org"),
        ("<https://example.org>", "https://example.org"),
        ("me@example.org", "mailto:me@example.org"),
    ],
)
def test_links_are_made_and_lead_nowhere_unguarded(body, href):
    assert f'<a href="{href}" rel="noopener noreferrer nofollow ugc">' in render(body)


@pytest.mark.parametrize("body", ["example.org", "www.example.org", "file.py", "1.2.3.4", "a.b"])
def test_what_only_looks_like_an_address_stays_text(body):
    assert "<a" not in render(body)


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "<javascript:alert(1)>",
    '[x](https://a"onmouseover="alert(1))',
    "![x](https://evil.example/pixel.png)",
    "[x]: javascript:alert(1)\n\n[x]",
    "```html\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "<a href='javascript:alert(1)'>x</a>",
    "<math><mtext></mtext><style><img src=x onerror=alert(1)></style></math>",
    "<!--><script>alert(1)</script>-->",
    "https://a.example/<script>alert(1)</script>",
    "**<b onclick=alert(1)>x</b>**",
    '<style>@import "//evil.example"</style>',
    "[x](//evil.example)",
    "[x](/sign-out/)",
    "[x](\\\\evil.example)",
    "[x](#top)",
    "//evil.example",
]

ALLOWED = {
    **dict.fromkeys(markdown._TAGS, frozenset[str]()),
    "a": frozenset({"href", "rel"}),
    "ol": frozenset({"start"}),
}


class Reader(HTMLParser):
    """Reads HTML as a browser would and keeps its tags and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError("a comment came through")


def assert_harmless(rendered: str) -> Reader:
    reader = Reader(rendered)
    assert reader.open == []
    for tag, attributes in reader.tags:
        assert set(attributes) <= ALLOWED[tag], (tag, attributes)
        href = attributes.get("href")
        assert href is None or re.match(r"(https?://|mailto:)", href)
    return reader


@pytest.mark.parametrize("body", ATTACKS)
def test_nothing_that_runs_comes_through(body):
    assert_harmless(render(body))


@pytest.mark.parametrize("body", ["<script>alert(1)</script>", "<b>bold</b>", "a <!-- b --> c"])
def test_html_is_shown_as_it_was_written(body):
    assert Reader(render(body)).text == body


LETTERS = st.one_of(
    st.sampled_from("<>&\"'`*_~[]()!#->/\\:.=\n\t 1ab"),
    st.characters(exclude_categories=("Cs", "Cc")),
)


@settings(deadline=None, max_examples=300)
@given(st.text(LETTERS, max_size=200))
def test_no_text_at_all_renders_to_anything_harmful(body):
    rendered = render(body)
    assert_harmless(rendered)
    assert len(rendered.encode()) <= limits.HTML_MAX


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from([*ATTACKS, "**", "`", "\n", "\n\n", "> ", "- ", "    ", "[", "](", ")"]),
        max_size=6,
    ).map("".join)
)
def test_no_mixture_of_attacks_comes_through(body):
    assert_harmless(render(body))


WORDS = st.text(st.sampled_from("ab zÄ9.,;:'\"?!()€%…–\n"), min_size=1, max_size=80)


@settings(deadline=None, max_examples=300)
@given(WORDS)
@example("9)")
@example("plain\n1.")
@example("1. one")
def test_the_short_way_for_plain_words_says_what_the_parser_would(body):
    """Most messages skip the parser: nobody may see a difference."""
    body = body.strip()
    if not body or not markdown._is_plain(body):
        return
    parsed = Reader(markdown._parser.render(body))
    short = Reader(render(body))
    assert [tag for tag, _ in short.tags] == [tag for tag, _ in parsed.tags]
    assert " ".join(short.text.split()) == " ".join(parsed.text.split())


@pytest.mark.parametrize(
    "body",
    [
        "[" * limits.BODY_MAX,
        "*" * limits.BODY_MAX,
        ">" * limits.BODY_MAX,
        "`" * limits.BODY_MAX,
        "- " * (limits.BODY_MAX // 2),
        "**a" * (limits.BODY_MAX // 3),
        "[a](" * (limits.BODY_MAX // 4),
        "<" * limits.BODY_MAX,
        "a@" * (limits.BODY_MAX // 2),
        "http://a " * (limits.BODY_MAX // 9),
        "&" * limits.BODY_MAX,
        "1. " * (limits.BODY_MAX // 3),
        "\n" * (limits.BODY_MAX - 1) + "a",
    ],
    ids=lambda body: repr(body[:6]),
)
def test_long_nonsense_is_rendered_in_bounded_time_and_size(body):
    began = time.process_time()
    rendered = render(body)
    assert time.process_time() - began < 2
    assert_harmless(rendered)
    assert len(rendered.encode()) <= limits.HTML_MAX


def test_what_would_grow_too_big_is_shown_as_plain_text(monkeypatch):
    monkeypatch.setattr(limits, "HTML_MAX", 100)
    body = "https://example.org " * 5
    rendered = render(body)
    assert "<a" not in rendered
    assert html.unescape(rendered).count("https://example.org") == 5
