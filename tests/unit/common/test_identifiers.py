"""Client order ids: the same order always has the same id, and no two orders share one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.identifiers import Leg, Purpose, Side, client_order_id, order_key_of, order_side, unspelled

KEYS = st.text("0123456789abcdef", min_size=16, max_size=16)
SENT = [Purpose.OPEN, Purpose.UNWIND, Purpose.CLOSE]
PARTS = st.tuples(KEYS, st.integers(0, 255), st.sampled_from(Leg), st.sampled_from(SENT), st.integers(0, 65535))
KEY = "0123456789abcdef"


@given(PARTS, PARTS)
def test_ids_are_equal_exactly_when_their_orders_are(
    one: tuple[str, int, Leg, Purpose, int], other: tuple[str, int, Leg, Purpose, int]
) -> None:
    assert (client_order_id(*one) == client_order_id(*other)) is (one == other)


@given(PARTS)
def test_every_venue_accepts_an_id_and_its_order_key_can_be_read_back(
    parts: tuple[str, int, Leg, Purpose, int],
) -> None:
    made = client_order_id(*parts)
    assert re.fullmatch(r"[0-9a-f]{28}", made)
    assert order_key_of(made) == parts[0]


@pytest.mark.parametrize("stranger", ["", "web_12345", "7a4d", "7a4d" + "G" * 24, "7a4e" + "0" * 24])
def test_somebody_elses_order_has_no_order_key(stranger: str) -> None:
    assert order_key_of(stranger) is None


@pytest.mark.parametrize(("key", "entry", "attempt"), [("short", 1, 1), (KEY, 256, 1), (KEY, -1, 1), (KEY, 1, 65536)])
def test_a_part_that_does_not_fit_is_refused(key: str, entry: int, attempt: int) -> None:
    with pytest.raises(ValueError, match=r"order key|out of range"):
        client_order_id(key, entry, Leg.LONG, Purpose.OPEN, attempt)


def test_an_order_that_somebody_else_sent_has_no_id_of_ours() -> None:
    with pytest.raises(ValueError, match="external is never sent"):
        client_order_id(KEY, 1, Leg.LONG, Purpose.EXTERNAL, 1)


@pytest.mark.parametrize(
    ("leg", "purpose", "side"),
    [
        (Leg.LONG, Purpose.OPEN, Side.BUY),
        (Leg.LONG, Purpose.CLOSE, Side.SELL),
        (Leg.LONG, Purpose.UNWIND, Side.SELL),
        (Leg.SHORT, Purpose.OPEN, Side.SELL),
        (Leg.SHORT, Purpose.CLOSE, Side.BUY),
        (Leg.SHORT, Purpose.UNWIND, Side.BUY),
    ],
)
def test_each_leg_opens_one_way_and_is_reduced_the_other(leg: Leg, purpose: Purpose, side: Side) -> None:
    assert order_side(leg, purpose) is side


@pytest.mark.parametrize("before", ["", "0x0000", "t-"])
def test_id_is_found_at_the_end_of_a_venues_spelling(before: str) -> None:
    made = client_order_id("0123456789abcdef", 1, Leg.LONG, Purpose.OPEN, 1)
    assert unspelled(before + made) == made


@pytest.mark.parametrize("stranger", ["", "web_1", "0x" + "f" * 32, "external-bybit-SOL-7"])
def test_id_of_somebody_else_is_left_as_it_is(stranger: str) -> None:
    assert unspelled(stranger) == stranger
