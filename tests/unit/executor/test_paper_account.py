"""What a paper account does with an order, figure by figure, and that no USDT is made or lost on the way."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.funding import FundingTerms
from common.domain.identifiers import Side
from common.domain.order_book import book_side
from executor.domain.paper_account import PaperPosition, Taken, funding_usdt, margin_usdt, settlements, take

FOUR = datetime(2025, 10, 10, 16, tzinfo=UTC)
LONG = PaperPosition(Decimal(10), Decimal(100))
SHORT = PaperPosition(Decimal(-10), Decimal(100))


def taken(price: str, quantity: str) -> Taken:
    return Taken(Decimal(price), Decimal(quantity))


def test_an_order_takes_level_after_level_and_no_more_than_there_is() -> None:
    asks = book_side([("100", "2"), ("101", "3")])
    assert take(asks, Decimal(1)) == [taken("100", "1")]
    assert take(asks, Decimal(4)) == [taken("100", "2"), taken("101", "2")]
    assert take(asks, Decimal(9)) == [taken("100", "2"), taken("101", "3")]
    assert take(book_side([]), Decimal(1)) == []


@pytest.mark.parametrize(
    ("before", "side", "one", "after", "realised"),
    [
        (PaperPosition(), Side.BUY, taken("100", "10"), LONG, "0"),
        (LONG, Side.BUY, taken("130", "5"), PaperPosition(Decimal(15), Decimal(110)), "0"),
        (LONG, Side.SELL, taken("103", "4"), PaperPosition(Decimal(6), Decimal(100)), "12"),
        (LONG, Side.SELL, taken("97", "10"), PaperPosition(), "-30"),
        (LONG, Side.SELL, taken("103", "15"), PaperPosition(Decimal(-5), Decimal(103)), "30"),
        (SHORT, Side.BUY, taken("103", "10"), PaperPosition(), "-30"),
        (SHORT, Side.BUY, taken("97", "15"), PaperPosition(Decimal(5), Decimal(97)), "30"),
        (SHORT, Side.SELL, taken("130", "5"), PaperPosition(Decimal(-15), Decimal(110)), "0"),
    ],
)
def test_a_position_after_an_execution(
    before: PaperPosition, side: Side, one: Taken, after: PaperPosition, realised: str
) -> None:
    assert before.after(side, one) == (after, Decimal(realised))


executions = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 500), st.integers(1, 50)), min_size=1, max_size=20
)


@given(executions)
def test_what_is_realised_and_what_is_open_add_up_to_the_cash_that_moved(
    moves: list[tuple[Side, int, int]],
) -> None:
    position, realised, cash = PaperPosition(), Decimal(0), Decimal(0)
    for side, price, quantity in moves:
        position, made = position.after(side, Taken(Decimal(price), Decimal(quantity)))
        realised += made
        cash += Decimal(price * quantity) * (-1 if side is Side.BUY else 1)
    worth = Decimal(77)
    assert abs(realised + position.profit_usdt(worth) - (cash + position.quantity * worth)) < Decimal("1e-18")


def test_a_reduce_only_order_takes_no_more_than_is_held_the_other_way() -> None:
    assert LONG.reducible(Side.SELL, Decimal(4)) == 4
    assert LONG.reducible(Side.SELL, Decimal(40)) == 10
    assert LONG.reducible(Side.BUY, Decimal(4)) == 0
    assert SHORT.reducible(Side.BUY, Decimal(40)) == 10
    assert PaperPosition().reducible(Side.BUY, Decimal(1)) == 0


def test_margin_is_the_notional_by_the_leverage_of_what_would_be_held() -> None:
    assert margin_usdt(LONG, Side.BUY, [taken("100", "10")], 20) == 100
    assert margin_usdt(LONG, Side.SELL, [taken("100", "10")], 20) == 0


def test_the_settlements_that_are_past() -> None:
    terms = FundingTerms("binance", "SOL", 0.0001, 4, FOUR)
    assert settlements(terms, FOUR - timedelta(seconds=1)) == []
    assert settlements(terms, FOUR) == [FOUR]
    assert settlements(terms, FOUR + timedelta(hours=9)) == [FOUR + timedelta(hours=hours) for hours in (0, 4, 8)]
    assert settlements(FundingTerms("binance", "SOL", 0.0001, 4, None), FOUR) == []


def test_longs_pay_a_positive_rate_and_shorts_receive_it() -> None:
    assert funding_usdt(Decimal(10), Decimal(200), 0.0001) == Decimal("-0.2")
    assert funding_usdt(Decimal(-10), Decimal(200), 0.0001) == Decimal("0.2")
    assert funding_usdt(Decimal(-10), Decimal(200), -0.0001) == Decimal("-0.2")
