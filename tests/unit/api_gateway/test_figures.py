"""Totals of a trade equal its ledger, and what is not known is never shown as zero."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.domain.figures import (
    FinalFigures,
    LedgerFill,
    LedgerFunding,
    LedgerOrder,
    known_fees,
    trade_figures,
)
from common.domain.identifiers import Leg, Purpose, Side, order_side

HALF = Decimal("0.5")
FEE = Decimal("0.025")


def order(number: int, leg: Leg, purpose: Purpose, price: str, quantity: Decimal = HALF) -> LedgerOrder:
    return LedgerOrder(number, leg, purpose, quantity, Decimal(price))


def fill_of(one: LedgerOrder, fee: Decimal | None = FEE) -> LedgerFill:
    assert one.average_price is not None
    return LedgerFill(one.id, order_side(one.leg, one.purpose), one.average_price, one.filled_quantity, fee)


OPENED = [order(1, Leg.LONG, Purpose.OPEN, "100"), order(2, Leg.SHORT, Purpose.OPEN, "102")]
CLOSED = [*OPENED, order(3, Leg.LONG, Purpose.CLOSE, "100.5"), order(4, Leg.SHORT, Purpose.CLOSE, "101")]


def test_a_flat_trade_earned_its_sales_minus_its_purchases() -> None:
    figures = trade_figures(CLOSED, [fill_of(one) for one in CLOSED], [], None)
    assert figures.spread_pnl_usdt == HALF * (Decimal("0.5") + 1)
    assert figures.fees_usdt == 4 * FEE


def test_an_open_trade_has_no_realised_spread_yet() -> None:
    figures = trade_figures(OPENED, [fill_of(one) for one in OPENED], [], None)
    assert figures.spread_pnl_usdt is None
    assert figures.legs[Leg.LONG].open_quantity == HALF
    assert figures.legs[Leg.SHORT].average_entry_price == 102
    assert figures.legs[Leg.SHORT].average_exit_price is None


def test_a_trade_that_never_traded_has_nothing_to_show() -> None:
    figures = trade_figures([], [], [], None)
    assert (figures.spread_pnl_usdt, figures.fees_usdt, figures.net_pnl_usdt) == (None, None, None)
    assert not figures.pnl_complete


def test_one_missing_fill_makes_the_fees_and_the_spread_unknown() -> None:
    fills = [fill_of(one) for one in CLOSED][:-1]
    figures = trade_figures(CLOSED, fills, [], None)
    assert figures.fees_usdt is None
    assert figures.spread_pnl_usdt is None
    assert figures.legs[Leg.LONG].fees_usdt == 2 * FEE
    assert figures.legs[Leg.SHORT].fees_usdt is None


def test_a_partly_booked_order_counts_as_unknown() -> None:
    short = replace(fill_of(CLOSED[3]), quantity=HALF - Decimal("0.001"))
    assert known_fees(CLOSED, [*(fill_of(one) for one in CLOSED[:3]), short]) is None


def test_one_fee_that_is_not_known_makes_the_sum_unknown() -> None:
    fills = [fill_of(CLOSED[0], None), *(fill_of(one) for one in CLOSED[1:])]
    assert known_fees(CLOSED, fills) is None


def test_a_rejected_order_costs_nothing() -> None:
    rejected = LedgerOrder(9, Leg.LONG, Purpose.OPEN, Decimal(0), None)
    assert known_fees([rejected], []) == 0


def test_funding_is_booked_per_leg_but_not_a_total_before_the_trade_is_finalised() -> None:
    funding = [LedgerFunding(Leg.SHORT, Decimal("0.02")), LedgerFunding(Leg.LONG, Decimal("-0.03"))]
    figures = trade_figures(CLOSED, [fill_of(one) for one in CLOSED], funding, None)
    assert figures.legs[Leg.SHORT].funding_booked_usdt == Decimal("0.02")
    assert figures.legs[Leg.LONG].funding_booked_usdt == Decimal("-0.03")
    assert figures.funding_usdt is None
    assert figures.net_pnl_usdt is None


def test_the_finalised_figures_are_believed() -> None:
    final = FinalFigures(Decimal(1), Decimal("0.1"), Decimal(0), Decimal("0.9"))
    figures = trade_figures(OPENED, [], [], final)
    assert figures.net_pnl_usdt == Decimal("0.9")
    assert figures.pnl_complete


def test_a_finalised_trade_without_a_net_is_not_complete() -> None:
    assert not trade_figures(OPENED, [], [], FinalFigures(None, None, None, None)).pnl_complete


@pytest.mark.parametrize("purpose", [Purpose.UNWIND, Purpose.CLOSE])
def test_every_reducing_order_takes_from_the_open_quantity(purpose: Purpose) -> None:
    orders = [*OPENED, order(3, Leg.LONG, purpose, "99", Decimal("0.2"))]
    long = trade_figures(orders, [], [], None).legs[Leg.LONG]
    assert (long.opened_quantity, long.reduced_quantity, long.open_quantity) == (HALF, Decimal("0.2"), Decimal("0.3"))
    assert long.average_exit_price == 99


prices = st.decimals("0.01", "1000", places=4)
quantities = st.decimals("0.001", "50", places=3)


@given(st.lists(st.tuples(prices, prices, quantities), min_size=1, max_size=5), prices, prices)
def test_realised_spread_equals_each_leg_valued_at_its_exit(
    entries: list[tuple[Decimal, Decimal, Decimal]], long_sell: Decimal, short_buy: Decimal
) -> None:
    orders: list[LedgerOrder] = []
    for long_buy, short_sell, quantity in entries:
        orders.append(LedgerOrder(len(orders), Leg.LONG, Purpose.OPEN, quantity, long_buy))
        orders.append(LedgerOrder(len(orders), Leg.SHORT, Purpose.OPEN, quantity, short_sell))
    whole = sum((quantity for _, _, quantity in entries), Decimal(0))
    orders.append(LedgerOrder(len(orders), Leg.LONG, Purpose.CLOSE, whole, long_sell))
    orders.append(LedgerOrder(len(orders), Leg.SHORT, Purpose.CLOSE, whole, short_buy))
    figures = trade_figures(orders, [fill_of(one) for one in orders], [], None)
    expected = sum(((long_sell - buy) * q + (sell - short_buy) * q for buy, sell, q in entries), Decimal(0))
    assert figures.spread_pnl_usdt == expected
    assert {leg.open_quantity for leg in figures.legs.values()} == {Decimal(0)}


def test_sides_of_fills_decide_and_not_their_order() -> None:
    fills = [fill_of(one) for one in reversed(CLOSED)]
    assert {fill.side for fill in fills} == {Side.BUY, Side.SELL}
    assert trade_figures(CLOSED, fills, [], None).spread_pnl_usdt == Decimal("0.75")
