"""Cuts text into grams, the pieces by which the index finds messages. Pure.

A text is folded first (fold()), and so is what is searched for: they are compared without case, accents and
other differences that people don't type. Its grams are

- every three consecutive characters of a word, in the sense of characters between spaces,
- the last character of a word, a space, and the first of the next word,
- one and two characters, unless they cut a word of a script that has spaces between words.

So a piece of a text has at least one gram of it if it has three characters or more. Shorter ones are found as
whole words ("ok", "C#", "🎉"), and anywhere in scripts without spaces ("茶").
"""

from __future__ import annotations

import re
import unicodedata

# Characters of scripts without spaces between words, and Hangul, where people search for single syllables.
_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f"  # Burmese, Khmer
    "\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff"  # Hangul
    "\u2e80-\u312f\u31a0-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uf900-\ufaff"  # Chinese, Japanese, Yi
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_LETTER = rf"[^\W_{_UNSPACED}]"  # of a word of a script with spaces
_OTHER = rf"(?:[^\w\s]|[_{_UNSPACED}])"  # every other visible character

_LONG = re.compile(r"(?=(\S\S\S|\S \S))")
_SINGLE = re.compile(rf"{_OTHER}|(?<!{_LETTER}){_LETTER}(?!{_LETTER})")
_PAIR = re.compile(
    rf"(?=((?:{_OTHER}|(?<!{_LETTER}){_LETTER})(?:{_OTHER}|{_LETTER}(?!{_LETTER}))))"
)

# Accents of scripts that can be read without them, and characters that are not seen: variation selectors,
# soft hyphens, joiners, direction marks. The vowel signs of Thai and Indian scripts are part of the word.
_IGNORED = re.compile(
    "[\u00ad\u0300-\u036f\u034f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061c"
    "\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u180b-\u180f\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff"
    "\U000e0000-\U000e01ef]+"
)
# Letters of Hangul that are no part of a syllable, as in "ㅋㅋㅠㅠ". They stay as they are: NFKD and NFC
# would make a syllable of "ㅋㅠ", in which "ㅠ" isn't found.
_HANGUL_LETTERS = re.compile("([\u3131-\u3163\u3165-\u318e]+)")
_HALF_WIDTH = {
    letter: chr(int(unicodedata.decomposition(letter).split()[-1], 16))  # "<narrow> 314B"
    for letter in map(chr, range(0xFFA1, 0xFFDD))
    if unicodedata.decomposition(letter)
}
# Typographic characters, which some keyboards write and others don't.
_TYPED = str.maketrans(
    dict.fromkeys("‘’‚‛′ʼ´", "'")
    | dict.fromkeys("“”„‟″«»", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")
    # NFKD decomposes these to some of the above.
    | {"ŉ": "'n", "‴": "'''", "⁗": "''''"}
    | dict.fromkeys("⁻₋︱︲﹘", "-")
    | _HALF_WIDTH
)


# Of structural grams: what a message belongs to. No folded text has this character.
_MARK = "\x00"


def fold(text: str) -> str:
    """Return the text as it is searched: one line, without case, accents and invisible characters.

    Folding a piece of a text gives a piece of the folded text, unless it cuts a letter from its accents.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(_fold_letters(text).split())


def _fold_letters(text: str) -> str:
    parts = _HANGUL_LETTERS.split(text.translate(_TYPED))
    if len(parts) == 1:
        return _fold_part(parts[0])
    return "".join(part if number % 2 else _fold_part(part) for number, part in enumerate(parts))


def _fold_part(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    # Again, because folding can decompose a letter. Then composed, because the marks that are left belong to
    # their letters: otherwise か would be a part of が, and a syllable of Hangul would be three characters.
    bare = _IGNORED.sub("", unicodedata.normalize("NFKD", decomposed))
    return unicodedata.normalize("NFC", bare)


def fold_with_origins(text: str) -> tuple[str, list[int]]:
    """Return the folded text, and where in the text each of its characters, and its end, begins."""
    folded: list[str] = []
    origins: list[int] = []
    start = 0
    while start < len(text):
        run = _VISIBLE_ASCII.match(text, start)
        end = run.end() if run else _end_of_letter(text, start)
        letters = text[start:end].lower() if run else _fold_letters(text[start:end])
        for number, letter in enumerate(letters):
            if not letter.isspace():
                folded.append(letter)
            elif folded and folded[-1] != " ":
                folded.append(" ")
            else:
                continue
            origins.append(start + number if run else start)
        start = end
    if folded and folded[-1] == " ":
        folded.pop()
    else:
        origins.append(len(text))
    return "".join(folded), origins


_VISIBLE_ASCII = re.compile("[!-~]+")


def _end_of_letter(text: str, start: int) -> int:
    """Return the end of a letter with all that can be composed with it: marks, parts of a syllable."""
    end = start + 1
    while end < len(text) and is_mark(text[end]):
        end += 1
    return end


def is_mark(character: str) -> bool:
    """Whether a character can be composed with the one before it, or is not seen."""
    return (
        unicodedata.category(character)[0] == "M"
        or "\u1160" <= character <= "\u11ff"  # of Hangul
        or character in "\uff9e\uff9f"  # of Katakana of half width
        or _IGNORED.match(character) is not None
    )


def text_grams(folded: str) -> list[str]:
    """Return all grams of a folded text, each once. The same text always gives the same list."""
    words = folded.split(" ")
    inside = (gram for word in words for gram in word_grams(word))
    return list(dict.fromkeys([*inside, *map(gap_gram, words, words[1:])]))


def word_grams(word: str) -> list[str]:
    """Return the grams of a word of a folded text, which depend on nothing around it."""
    return [*_LONG.findall(word), *_SINGLE.findall(word), *_PAIR.findall(word)]


def gap_gram(word: str, following: str) -> str:
    """Return the gram of two consecutive words."""
    return f"{word[-1:]} {following[:1]}"


def is_short(folded: str) -> bool:
    """Whether a term is found as a whole word only, or anywhere in a script without spaces."""
    return len(folded) < 3


def term_grams(folded: str) -> set[str]:
    """Return grams that every text with this folded term has, at most _TERM_GRAMS of them."""
    if is_short(folded):
        return {folded}
    found = _LONG.findall(folded)
    return {*found[:: -(-len(found) // _TERM_GRAMS)], found[-1]}


_TERM_GRAMS = 12


def short_term(folded: str) -> re.Pattern[str]:
    """Return a pattern that finds a short term where text_grams() would."""
    first, last = folded[0], folded[-1]
    before = rf"(?<!{_LETTER})" if _IS_LETTER.fullmatch(first) else ""
    after = rf"(?!{_LETTER})" if _IS_LETTER.fullmatch(last) else ""
    return re.compile(f"{before}{re.escape(folded)}{after}")


_IS_LETTER = re.compile(_LETTER)


def structural_gram(kind: str, value: object) -> str:
    """Return the gram of something that a message belongs to, such as ("author", 7)."""
    return f"{_MARK}{kind}:{value}"


def block_gram(size: int, number: int) -> str:
    """Return the gram of messages whose ids, divided by 2**size, are this number."""
    return structural_gram(f"block{size}", number)
