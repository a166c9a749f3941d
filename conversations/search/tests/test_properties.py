"""A random piece of a random message is found, by its author, and by no one outside of the conversation."""

from __future__ import annotations

import random
import unicodedata

import pytest

from chatty.common.errors import ChatError
from conversations.search import queries
from conversations.search.grams import fold, is_mark, is_short, short_term
from conversations.search.index import text_of
from conversations.search.query_text import ParsedQuery
from conversations.search.tests.conftest import index_all
from conversations.tests.helpers import say
from tests.markers import first_of

pytestmark = pytest.mark.django_db

MESSAGES = 150
PIECES = 4  # of each message

_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz   ",
    "ABC xyz éèüößæøłđŞğİı ",
    "абвгдежзиклмн ёй ΑΒΓάέή ",
    "的一是不了人我在有他这中大来上国個們到說時",
    "あいうえおかがきぎアイウエオー 。、",
    "가나다라마바사안녕하세요 ㅋㅎㅠㅏ",
    "กขคงจฉชซที่นี่ไม่ ",
    "अआइईकखगघंिीुू् ",
    "אבגדה שלום مرحبا َُّ ",
    "🎉👩‍💻❤️🇩🇪👍🏽😀 ",
    "0123456789.,:;/\\-_+#*~'\"()[]{}<>|&%$§!? ",
)
# What breaks other programs: https, markup, injections, odd spaces, right-to-left marks, zalgo.
_NAUGHTY = (
    "<script>alert('x')</script>",
    "'; DROP TABLE search_entry; --",
    '" OR "1"="1',
    "NEAR(a b) AND NOT * ^ col:",
    "%s %d %n {0} ${x} %(name)s",
    "../../etc/passwd\\x00",
    "Z̸͔͊a̷͎͠l̸̰̈́g̶̳̏o̷̗̐",
    "\u202eright to left\u202c and\u00a0\u2003odd\u3000spaces",
    "ｆｕｌｌｗｉｄｔｈ ℌ𝔢𝔩𝔩𝔬 ①②③ ½",
    "null undefined NaN true 0 -1 1e1000",
    "Ω≈ç√∫˜µ≤≥÷ ¡™£¢∞§¶•ªº–≠",
    "(╯°□°）╯︵ ┻━┻ ¯\\_(ツ)_/¯",
    "I İ ı i ß ẞ ŉ ǰ ﬃ",
)


def random_body(dice: random.Random) -> str:
    parts = []
    for _ in range(dice.randint(1, 4)):
        if dice.random() < 0.2:
            parts.append(dice.choice(_NAUGHTY))
        else:
            alphabet = dice.choice(_ALPHABETS)
            parts.append("".join(dice.choices(alphabet, k=dice.randint(1, 40))))
    return dice.choice((" ", "\n", "")).join(parts)


def random_piece(dice: random.Random, text: str) -> str:
    start = dice.randrange(len(text))
    end = dice.randint(start + 1, min(len(text), start + 30))
    while start and is_mark(text[start]):
        start -= 1
    while end < len(text) and is_mark(text[end]):
        end += 1
    return fold(text[start:end])


@pytest.mark.parametrize("seed", first_of(0, 1, 2))
def test_random_pieces_of_random_messages_are_found(seed, alice, carol, pair, settings):
    settings.LIMITS = {**settings.LIMITS, "search": "1000000/m", "rendering": "1000000/s"}
    dice = random.Random(seed)
    texts: dict[int, str] = {}
    while len(texts) < MESSAGES:
        try:
            message = say(alice, pair, random_body(dice))
        except ChatError:  # nothing visible, or characters that can't be stored
            continue
        texts[message.pk] = unicodedata.normalize("NFC", text_of(message.body, None, None, None))
    index_all()
    pieces = 0
    for pk, text in texts.items():
        for _ in range(PIECES):
            piece = random_piece(dice, text)
            if not piece or (is_short(piece) and not short_term(piece).search(fold(text))):
                continue
            assert pk in find_all(alice, piece), (piece, text)
            assert find_all(carol, piece) == set()
            pieces += 1
    assert pieces > MESSAGES


def find_all(user, term: str) -> set[int]:
    ids: set[int] = set()
    before = None
    while True:
        page = queries.search(user, ParsedQuery(terms=(term,)), before=before, limit=50)
        ids |= {result.message.pk for result in page.results}
        if page.older is None:
            return ids
        before = page.older
