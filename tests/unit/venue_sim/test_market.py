"""The price path and the book that is built around it."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from support.simulated_venues import NOON, instrument_table
from venue_sim.market import levels_around, mid_at
from venue_sim.scenario import Instrument

PATH = Instrument.model_validate(
    instrument_table(path=[[NOON, 200], [NOON + timedelta(minutes=5), 210], [NOON + timedelta(minutes=10), 190]])
).path


def test_mid_moves_in_a_straight_line_between_two_points() -> None:
    assert mid_at(PATH, NOON + timedelta(seconds=150)) == 205
    assert mid_at(PATH, NOON + timedelta(seconds=450)) == 200


def test_mid_is_the_point_itself_on_a_point() -> None:
    assert [mid_at(PATH, point.time) for point in PATH] == [200, 210, 190]


def test_mid_stands_still_before_the_first_and_after_the_last_point() -> None:
    assert mid_at(PATH, NOON - timedelta(days=1)) == 200
    assert mid_at(PATH, NOON + timedelta(days=1)) == 190


def test_book_has_the_asked_shape() -> None:
    bids, asks = levels_around(Instrument.model_validate(instrument_table()), Decimal(200))
    assert [level.price for level in bids[:3]] == [Decimal("199.98"), Decimal("199.96"), Decimal("199.94")]
    assert [level.price for level in asks[:3]] == [Decimal("200.02"), Decimal("200.04"), Decimal("200.06")]
    assert asks[0].quantity == Decimal("49.9")  # 10,000 USDT / 200.02, floored to 0.1


@given(
    mid=st.decimals("0.5", "100000", places=4),
    tick=st.sampled_from(["0.01", "0.1", "1", "0.05"]),
    half_spread=st.decimals("0.1", "50", places=2),
)
def test_book_is_never_crossed_and_every_level_is_on_tick_and_step(
    mid: Decimal, tick: str, half_spread: Decimal
) -> None:
    book = {"half_spread_bps": half_spread, "levels": 10, "step_bps": Decimal("0.5"), "notional_per_level_usdt": 500}
    instrument = Instrument.model_validate(instrument_table(price_tick=Decimal(tick), book=book))
    bids, asks = levels_around(instrument, mid)
    assert all(a.price < b.price for a, b in pairwise(asks))
    assert all(a.price > b.price for a, b in pairwise(bids))
    assert all(level.price % Decimal(tick) == 0 for level in (*bids, *asks))
    assert all(level.quantity % instrument.quantity_step == 0 < level.quantity for level in (*bids, *asks))
    assert not bids or bids[0].price < mid < asks[0].price
