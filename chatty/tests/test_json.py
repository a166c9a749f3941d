import pytest

from chatty.common import json
from chatty.common.errors import ChatError

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "bad_frame"),
        (b"{", "bad_frame"),
        (b"[NaN]", "bad_frame"),
        (b'"\\ud800"', "bad_frame"),
        (b'"\xff"', "bad_frame"),
        (b"[" * 100_000, "bad_frame"),
        (b"[" * 100_000 + b"]" * 100_000, "bad_frame"),
        (b"[" * 33 + b"]" * 33, "bad_frame"),
        (b'{"a":["x\\u0000y"]}', "bad_text"),
        (b'{"x\\u0000y":1}', "bad_text"),
    ],
)
def test_malformed_json_is_rejected_with_a_code(raw, code):
    with pytest.raises(ChatError) as error:
        json.decode(raw)
    assert error.value.code == code


def test_valid_json_is_decoded_up_to_the_maximum_depth():
    assert json.decode(b'{"a":[1,null,"\\ud83d\\ude00"]}') == {"a": [1, None, "😀"]}
    assert json.decode(b"[" * 32 + b"]" * 32)
