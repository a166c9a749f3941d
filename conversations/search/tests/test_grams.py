"""Folding and cutting texts: whatever the text, a piece of it is found."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversations.search.grams import (
    fold,
    fold_with_origins,
    is_mark,
    is_short,
    short_term,
    term_grams,
    text_grams,
)
from conversations.search.matching import Matcher

# Letters that fold to several, compose, are ignored, or belong to a script without spaces; and all others.
_SPECIAL = st.sampled_from(
    [*"abc DEß.,#+-\n\tİıǰéﬁがか한하ㅋㅠｶﾞ中文ไทยहिं’“«👩💻❤️𝒳½", "\u200d", "\u0301", "\u00ad"]
)
TEXTS = st.text(st.one_of(_SPECIAL, st.characters(codec="utf-8"))).map(
    lambda text: unicodedata.normalize("NFC", text)
)


@st.composite
def texts_and_pieces(draw) -> tuple[str, str]:
    """A text and a piece of it that cuts no letter from its marks."""
    text = draw(TEXTS.filter(bool))
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, len(text)))
    while start and is_mark(text[start]):
        start -= 1
    while end < len(text) and is_mark(text[end]):
        end += 1
    return text, text[start:end]


@given(texts_and_pieces())
def test_pieces_of_a_text_have_its_grams(given_):
    text, piece = map(fold, given_)
    assert piece in text
    if not piece:
        return
    if is_short(piece):
        assert (piece in text_grams(text)) == bool(short_term(piece).search(text))
    else:
        assert term_grams(piece) <= set(text_grams(text))
        assert Matcher([piece]).matches(given_[0])


@given(TEXTS)
def test_origins_belong_to_the_folded_text(text):
    folded, origins = fold_with_origins(text)
    assert folded == fold(text)
    assert len(origins) == len(folded) + 1
    assert origins == sorted(origins)
    assert origins[-1] <= len(text)


@given(TEXTS)
def test_folding_again_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


def test_folding_any_character_again_changes_nothing():
    characters = [chr(number) for number in range(sys.maxunicode)]
    changing = [e for e in characters if unicodedata.decomposition(e) or e != e.casefold()]
    assert len(changing) > 5_000
    assert [each for each in changing if fold(fold(each)) != fold(each)] == []


@given(texts_and_pieces())
@example(("000000001:¼", "1"))
def test_excerpt_marks_what_was_searched(given_):
    text, piece = given_
    term = fold(piece)
    if not term or not Matcher([term]).matches(text):
        return
    parts = Matcher([term]).excerpt(text)
    hits = [part.text for part in parts if part.hit]
    # Hits that follow each other are one.
    assert any(not fold(hit).replace(term, "") for hit in hits) or len(text) > 200 or len(hits) == 1
    assert all(part.text and "\n" not in part.text for part in parts)
    joined = "".join(part.text for part in parts).strip("…")
    assert " ".join(joined.split()) in " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("tea time", {"tea", "tim", "ime", "a t"}),
        ("ok", {"ok"}),
        ("a b", {"a", "b", "a b"}),
        ("c#.", {"c", "#", ".", "c#", "#.", "c#."}),
        ("お茶", {"お", "茶", "お茶"}),
        ("第3回", {"第", "3", "回", "第3", "3回", "第3回"}),
    ],
)
def test_grams_of_a_text(text, grams):
    assert set(text_grams(text)) == grams


def test_long_term_has_few_grams():
    term = fold("the quick brown fox jumps over the lazy dog " * 5)
    assert len(term_grams(term)) <= 13
