"""The search for secrets finds each one that is planted."""

import base64
import json
from urllib.parse import quote

import pytest

from support.leaks import leaks

SECRETS = {"the database's password": "p/ss w@rd", "binance's key": "0123456789abcdef"}
PLANTED = {
    "as it is": "p/ss w@rd",
    "in an address": f"postgresql://executor:{quote('p/ss w@rd', safe='')}@localhost/tandem",
    "in a header": "Authorization: Basic " + base64.b64encode(b"p/ss w@rd").decode(),
    "in a header with more": "Authorization: Basic " + base64.b64encode(b"p/ss w@rd:more").decode(),
    "in a dump": "\\x" + b"p/ss w@rd".hex(),
    "in JSON": json.dumps({"error": "no login with p/ss w@rd"}),
}


@pytest.mark.parametrize("how", PLANTED)
def test_a_planted_secret_is_found(how: str) -> None:
    places = [("a log", "all is well"), ("an answer", f"before {PLANTED[how]} after")]
    assert leaks(places, SECRETS) == ["an answer shows the database's password"]


def test_where_nothing_is_planted_nothing_is_found() -> None:
    assert leaks([("a log", "executor:********@localhost 0123456789abcde")], SECRETS) == []


def test_a_secret_that_is_found_everywhere_is_refused() -> None:
    with pytest.raises(ValueError, match="a word"):
        leaks([], {"a word": "key"})
