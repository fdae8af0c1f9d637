"""What a trade has realised before its final account: taken back against the average entry, all fees paid."""

from dataclasses import replace
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg, Purpose
from executor.domain.realised import FEE_RATE_UNTOLD, OrderSoFar, realised_usdt


def order(
    leg: Leg,
    purpose: Purpose,
    price: str,
    quantity: str = "2",
    fees: str = "0.1",
    *,
    with_fee: str | None = None,
    trade: int = 1,
) -> OrderSoFar:
    told = Decimal(quantity if with_fee is None else with_fee)
    return OrderSoFar(trade, False, True, leg, purpose, Decimal(quantity), Decimal(price), told, Decimal(fees))


def realised(*orders: OrderSoFar, funding: str = "0") -> Decimal:
    return realised_usdt(orders, {1: Decimal(funding)})


OPENED = [order(Leg.LONG, Purpose.OPEN, "100"), order(Leg.SHORT, Purpose.OPEN, "103")]


def test_an_open_trade_has_realised_its_fees_whatever_the_market_does() -> None:
    assert realised(*OPENED) == Decimal("-0.2")
    assert realised() == 0


def test_a_closed_trade_has_realised_what_was_sold_less_what_was_bought_and_the_fees() -> None:
    closed = [order(Leg.LONG, Purpose.CLOSE, "99"), order(Leg.SHORT, Purpose.CLOSE, "104")]
    assert realised(*OPENED, *closed) == 2 * (99 - 100) + 2 * (103 - 104) - Decimal("0.4")


@pytest.mark.parametrize(
    ("leg", "price", "gained"), [(Leg.LONG, "97", "-3"), (Leg.LONG, "104", "4"), (Leg.SHORT, "107", "-4")]
)
def test_what_was_unwound_of_one_leg_counts_for_that_part(leg: Leg, price: str, gained: str) -> None:
    alone = order(leg, Purpose.OPEN, "100" if leg is Leg.LONG else "103", quantity="1", fees="0")
    part = order(leg, Purpose.UNWIND, price, quantity="1")
    assert realised(*OPENED, alone, part) == Decimal(gained) - Decimal("0.3")


@pytest.mark.parametrize("purpose", [Purpose.CLOSE, Purpose.EXTERNAL])
@pytest.mark.parametrize(("leg", "price"), [(Leg.LONG, "50"), (Leg.LONG, "150"), (Leg.SHORT, "50")])
def test_half_a_close_is_no_loss_of_what_the_market_moved(leg: Leg, purpose: Purpose, price: str) -> None:
    """The leg that is left is worth what the other one brought: the gap of 3 for 1.5 of 2, less the fees."""
    half = order(leg, purpose, price, quantity="1.5")
    assert realised(*OPENED, half) == Decimal("1.5") * 3 - Decimal("0.3")


def test_the_entry_price_is_the_average_of_all_entries_and_trades_are_kept_apart() -> None:
    more = order(Leg.LONG, Purpose.OPEN, "90", fees="0")
    sold = order(Leg.LONG, Purpose.CLOSE, "94", quantity="4", fees="0")
    other = order(Leg.LONG, Purpose.OPEN, "1000", fees="0", trade=2)
    assert realised(OPENED[0], more, sold, other) == 4 * (94 - 95) - Decimal("0.1")


def test_a_fee_that_is_not_told_yet_counts_as_a_dear_one() -> None:
    half_told = order(Leg.LONG, Purpose.OPEN, "100", fees="0.05", with_fee="1")
    assert realised(half_told) == -(Decimal("0.05") + 100 * FEE_RATE_UNTOLD)


def test_of_an_active_trade_a_loss_counts_and_no_gain_and_nothing_of_another_day() -> None:
    unwound = [order(Leg.LONG, Purpose.OPEN, "100", "1", "0"), order(Leg.LONG, Purpose.UNWIND, "97", "1", "0")]
    active = [replace(one, is_active=True) for one in (*OPENED, *unwound)]
    assert realised(*active, funding="1") == Decimal("-2.2")
    assert realised(*active, funding="20") == 0
    lost = replace(order(Leg.LONG, Purpose.OPEN, "100", trade=2), fees_usdt=Decimal(5))
    assert realised(*active, lost, funding="20") == -5
    earlier = [replace(one, is_of_day=False) for one in active]
    assert realised(*earlier) == 0
    assert realised(*(replace(one, is_active=False) for one in earlier)) == Decimal("-3.2")


def test_an_old_unwind_is_no_price_of_a_leg_that_stands_alone_for_a_moment() -> None:
    unwound = [order(Leg.SHORT, Purpose.OPEN, "101", fees="0"), order(Leg.SHORT, Purpose.UNWIND, "101", fees="0")]
    first_of_two = order(Leg.LONG, Purpose.OPEN, "150", fees="0")
    assert realised(*OPENED, *unwound, first_of_two) == 2 * (Decimal(102) - 101) - Decimal("0.2")
