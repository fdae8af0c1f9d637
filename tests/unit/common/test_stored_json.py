"""JSON as PostgreSQL can keep it: no NUL survives, and nothing else changes."""

import orjson
import pytest

from common.persistence.database import encode_json, storable_text


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("a\0b", "a\ufffdb"),
        ({"a\0": ["\0", {"b": "\0\0"}]}, {"a\ufffd": ["\ufffd", {"b": "\ufffd\ufffd"}]}),
        ("literally \\u0000", "literally \\u0000"),
        (["\\\0", "\\\\u0000"], ["\\\ufffd", "\\\\u0000"]),
        ({"n": 1, "none": None, "yes": True, "x": 1.5}, {"n": 1, "none": None, "yes": True, "x": 1.5}),
    ],
)
def test_nul_is_replaced_and_what_only_looks_like_it_is_kept(value: object, stored: object) -> None:
    assert orjson.loads(encode_json(value)) == stored


def test_text_is_made_storable() -> None:
    assert storable_text("a\0b\ud800c") == "a\ufffdb?c"
