"""The edges of SPEC 2 and 4 in what all services share: at, just under and just over."""

from decimal import Decimal

import pytest

from common.domain.identifiers import Leg, Purpose, client_order_id
from common.domain.instruments import Instrument, lot_violation
from common.domain.order_book import book_side

KEY = "0123456789abcdef"
COIN = Instrument("bybit", "COIN", Decimal("0.1"), Decimal("0.2"), Decimal(5), Decimal("0.01"), quantity_max=Decimal(9))


@pytest.mark.parametrize(("entry", "attempt"), [(0, 0), (0xFF, 0), (0, 0xFFFF), (0xFF, 0xFFFF)])
def test_the_first_and_the_last_number_fit_into_an_order_id(entry: int, attempt: int) -> None:
    assert len(client_order_id(KEY, entry, Leg.LONG, Purpose.OPEN, attempt)) == 28


@pytest.mark.parametrize(
    ("quantity", "price", "refused_for"),
    [
        ("-0.1", "100", "below the minimum"),
        ("0.1", "100", "below the minimum"),
        ("0.2", "100", None),
        ("9", "100", None),
        ("9.1", "100", "above the maximum"),
        ("0.5", "9.99", "notional 4.9950 USDT"),
        ("0.5", "10", None),
        ("0.5", "10.01", None),
    ],
)
def test_a_quantity_may_be_exactly_what_the_venue_allows(quantity: str, price: str, refused_for: str | None) -> None:
    violation = lot_violation(COIN, Decimal(quantity), Decimal(price))
    assert violation is None if refused_for is None else refused_for in (violation or "")


def test_nothing_is_never_a_quantity_even_where_no_minimum_stands() -> None:
    free = Instrument("bybit", "COIN", Decimal("0.1"), Decimal(0), Decimal(0), Decimal("0.01"))
    assert lot_violation(free, Decimal(0), Decimal(100)) == "quantity 0 is below the minimum 0"


@pytest.mark.parametrize(
    ("notional", "quantity", "levels", "worst"),
    [("99", "0.99", 1, "100"), ("100", "1", 1, "100"), ("100.5", "1.005", 2, "100"), ("201", "2.01", 2, "100")],
)
def test_a_notional_may_end_exactly_at_a_level(notional: str, quantity: str, levels: int, worst: str) -> None:
    sweep = book_side([("100", "1"), ("100", "2")]).sweep_notional(Decimal(notional))
    assert (sweep.quantity, sweep.notional) == (Decimal(quantity), Decimal(notional))
    assert (sweep.levels, sweep.worst_price) == (levels, Decimal(worst))


def test_sides_are_equal_by_their_levels_and_to_nothing_else() -> None:
    side = book_side([("100", "1")])
    assert side == book_side([("100", "1")])
    assert side != book_side([("100", "2")])
    assert side != side.levels
