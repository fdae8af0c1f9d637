"""Walking a book: exact at the edges of levels, and never a partial average."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.domain.order_book import BookSide, InsufficientDepth, OrderBook, book_side

LEVELS = st.lists(
    st.tuples(st.decimals("1", "1000", places=2), st.decimals("0.01", "50", places=2)), min_size=1, max_size=12
)
ASKS = LEVELS.map(lambda levels: BookSide(tuple(sorted(levels))))
THREE = BookSide(((Decimal(100), Decimal(1)), (Decimal(101), Decimal(2)), (Decimal(103), Decimal(4))))


@pytest.mark.parametrize(
    ("quantity", "price", "levels", "worst"),
    [("0.5", "100", 1, "100"), ("1", "100", 1, "100"), ("3", "302", 2, "101"), ("4", "405", 3, "103")],
)
def test_a_sweep_by_hand(quantity: str, price: str, levels: int, worst: str) -> None:
    sweep = THREE.sweep_quantity(Decimal(quantity))
    total = Decimal(price) if Decimal(quantity) > 1 else Decimal(price) * Decimal(quantity)
    assert sweep.notional == total
    assert sweep.price == total / Decimal(quantity)
    assert (sweep.levels, sweep.worst_price) == (levels, Decimal(worst))


def plain_sweep(side: BookSide, quantity: Decimal) -> Fraction:
    left, paid = Fraction(quantity), Fraction(0)
    for price, size in side.levels:
        taken = min(left, Fraction(size))
        paid += taken * Fraction(price)
        left -= taken
    assert left == 0
    return paid / Fraction(quantity)


@given(ASKS, st.decimals("0.01", "1", places=4))
def test_a_sweep_equals_a_plain_walk(side: BookSide, share: Decimal) -> None:
    quantity = sum((size for _, size in side.levels), Decimal(0)) * share
    assume(quantity > 0)
    assert float(side.sweep_quantity(quantity).price) == pytest.approx(float(plain_sweep(side, quantity)), rel=1e-12)


@pytest.mark.parametrize(
    ("quantity", "taken"),
    [("0.5", [(100, "0.5")]), ("1", [(100, "1")]), ("4", [(100, "1"), (101, "2"), (103, "1")])],
)
def test_a_sweep_knows_what_each_level_gave(quantity: str, taken: list[tuple[int, str]]) -> None:
    expected = tuple((Decimal(price), Decimal(size)) for price, size in taken)
    assert THREE.sweep_quantity(Decimal(quantity)).taken() == expected


@given(ASKS, st.decimals("0.01", "1", places=4))
def test_what_the_levels_gave_adds_up_to_the_sweep(side: BookSide, share: Decimal) -> None:
    quantity = sum((size for _, size in side.levels), Decimal(0)) * share
    assume(quantity > 0)
    sweep = side.sweep_quantity(quantity)
    assert sum(size for _, size in sweep.taken()) == sweep.quantity
    assert sum(price * size for price, size in sweep.taken()) == sweep.notional
    assert len(sweep.taken()) == sweep.levels


@given(ASKS, st.decimals("0.01", "0.99", places=2))
def test_the_sweep_of_the_whole_is_never_better_than_of_a_part(side: BookSide, share: Decimal) -> None:
    whole = sum((size for _, size in side.levels), Decimal(0))
    part = side.sweep_quantity(whole * share)
    assert part.price <= side.sweep_quantity(whole).price * (1 + Decimal("1e-24"))


@given(ASKS, st.decimals("0.01", "1", places=4))
def test_sweeping_the_notional_of_a_quantity_finds_that_quantity(side: BookSide, share: Decimal) -> None:
    quantity = sum((size for _, size in side.levels), Decimal(0)) * share
    notional = side.sweep_quantity(quantity).notional
    assume(notional <= side._notionals[-1])  # rounding of the last digit may ask for more than there is
    assert float(side.sweep_notional(notional).quantity) == pytest.approx(float(quantity), rel=1e-12)


def test_a_thin_book_says_how_much_is_missing() -> None:
    with pytest.raises(InsufficientDepth) as thin:
        THREE.sweep_quantity(Decimal("7.5"))
    assert (thin.value.shortfall, thin.value.unit) == (Decimal("0.5"), "base")
    with pytest.raises(InsufficientDepth) as poor:
        THREE.sweep_notional(Decimal(715))
    assert (poor.value.shortfall, poor.value.unit) == (Decimal(1), "USDT")


def test_an_empty_side_is_wholly_short() -> None:
    with pytest.raises(InsufficientDepth) as thin:
        BookSide(()).sweep_quantity(Decimal(2))
    assert thin.value.shortfall == Decimal(2)


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_sweep_needs_a_positive_amount(amount: str) -> None:
    with pytest.raises(ValueError, match="positive"):
        THREE.sweep_quantity(Decimal(amount))
    with pytest.raises(ValueError, match="positive"):
        THREE.sweep_notional(Decimal(amount))


@pytest.mark.parametrize(("bid", "ask", "crossed"), [("99", "100", False), ("100", "100", True), ("101", "100", True)])
def test_a_bid_at_or_above_an_ask_is_crossed(bid: str, ask: str, crossed: bool) -> None:
    book = OrderBook("binance", "SOL", book_side([(bid, 1)]), book_side([(ask, 1)]), 0.0)
    assert book.is_crossed is crossed


def test_an_empty_side_is_not_crossed() -> None:
    assert not OrderBook("binance", "SOL", book_side([]), book_side([(1, 1)]), 0.0).is_crossed


def test_levels_of_no_quantity_are_no_levels() -> None:
    assert book_side([("1.5", "0"), (2.5, 1)]).levels == ((Decimal("2.5"), Decimal(1)),)


def test_age_is_real_seconds_since_it_was_received() -> None:
    assert OrderBook("binance", "SOL", book_side([]), book_side([]), 10.0).age_seconds(12.5) == 2.5
