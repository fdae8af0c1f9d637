"""Funding is known where every settlement is known and the newest one has its payment: never zero for unknown."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg
from position_monitor.domain.settlements import funding_received_usdt, last_settlement
from position_monitor.domain.trade import FundingReceived
from support.watched_trades import NOW, OPENED_AT, terms, trade


def paid(leg: Leg, settled_at: datetime, amount: str = "0.02") -> FundingReceived:
    return FundingReceived(leg, Decimal(amount), settled_at)


@pytest.mark.parametrize(
    ("next_in_hours", "last_hours_ago"), [(8.0, 0.0), (7.0, 1.0), (0.5, 7.5), (0.0, 0.0), (-1.0, 1.0), (-9.0, 1.0)]
)
def test_the_newest_settlement_follows_from_the_next_and_the_interval(
    next_in_hours: float, last_hours_ago: float
) -> None:
    found = last_settlement(terms("binance", interval_hours=8, next_at=NOW + timedelta(hours=next_in_hours)), NOW)
    assert found == NOW - timedelta(hours=last_hours_ago)


def test_a_contract_that_tells_no_next_time_tells_no_last_one() -> None:
    assert last_settlement(terms("binance"), NOW) is None


@pytest.mark.parametrize(("after_opening_seconds", "known"), [(-1, True), (0, True), (1, False)])
def test_a_settlement_inside_the_trades_time_without_payment_is_unknown(
    after_opening_seconds: float, known: bool
) -> None:
    settled_at = OPENED_AT + timedelta(seconds=after_opening_seconds)
    current = {leg: terms("bybit", interval_hours=8, next_at=settled_at + timedelta(hours=8)) for leg in Leg}
    assert funding_received_usdt(trade(), current, NOW) == (Decimal(0) if known else None)


def test_payments_are_summed_once_both_legs_have_theirs() -> None:
    settled_at = OPENED_AT + timedelta(minutes=30)
    current = {leg: terms("any", interval_hours=8, next_at=settled_at + timedelta(hours=8)) for leg in Leg}
    one = (paid(Leg.LONG, settled_at, "-0.03"),)
    both = (*one, paid(Leg.SHORT, settled_at - timedelta(seconds=30), "0.05"))
    assert funding_received_usdt(trade(funding=one), current, NOW) is None
    assert funding_received_usdt(trade(funding=both), current, NOW) == Decimal("0.02")


def test_a_payment_of_an_earlier_settlement_does_not_stand_for_the_newest() -> None:
    current = {leg: terms("binance", interval_hours=0.5, next_at=NOW) for leg in Leg}
    earlier = tuple(paid(leg, NOW - timedelta(minutes=30)) for leg in Leg)
    assert funding_received_usdt(trade(funding=earlier), current, NOW) is None


@pytest.mark.parametrize("unknown", list(Leg))
def test_a_leg_whose_settlements_are_unknown_may_have_a_payment_that_is_missing(unknown: Leg) -> None:
    known = {leg: terms("any", next_at=OPENED_AT + timedelta(hours=8)) for leg in Leg}
    assert funding_received_usdt(trade(), known, NOW) == 0
    assert funding_received_usdt(trade(), {leg: known[leg] for leg in Leg if leg is not unknown}, NOW) is None
    assert funding_received_usdt(trade(), {**known, unknown: terms("any")}, NOW) is None
