"""The edges of what the monitor reads from the ledger: a missing leg, the newest payment, the last scale-in."""

from datetime import timedelta
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg, Purpose
from common.domain.position import LegFill
from position_monitor.domain.exits import TAKE_PROFIT, Action, Verdict
from position_monitor.domain.explanation import take_profit_line_pct
from position_monitor.domain.hedge import discrepancy
from position_monitor.domain.settlements import SETTLEMENT_TOLERANCE, funding_received_usdt
from position_monitor.domain.trade import FundingReceived
from support.watched_trades import LOTS, NOW, OPENED_AT, entry, fills_of, terms, trade


def closing(*legs: Leg) -> tuple[LegFill, ...]:
    return tuple(LegFill(leg, Purpose.CLOSE, Decimal("0.5"), Decimal(100)) for leg in legs)


@pytest.mark.parametrize(
    ("closed", "kind"),
    [((), None), ((Leg.LONG,), "leg_missing"), ((Leg.SHORT,), "leg_missing"), ((Leg.LONG, Leg.SHORT), None)],
)
def test_either_leg_may_be_the_missing_one_and_a_flat_trade_misses_none(
    closed: tuple[Leg, ...], kind: str | None
) -> None:
    found = discrepancy(trade(fills=(*fills_of(), *closing(*closed))), LOTS)
    assert (found.kind if found else None) == kind


@pytest.mark.parametrize(("microseconds", "known"), [(-1, True), (0, True), (1, False)])
def test_a_payment_may_be_stamped_a_minute_before_its_settlement(microseconds: int, known: bool) -> None:
    settled_at = OPENED_AT + timedelta(minutes=30)
    none_yet = terms("bybit", interval_hours=8, next_at=OPENED_AT + timedelta(hours=8))
    current = {
        Leg.LONG: terms("binance", interval_hours=8, next_at=settled_at + timedelta(hours=8)),
        Leg.SHORT: none_yet,
    }
    paid_at = settled_at - SETTLEMENT_TOLERANCE - timedelta(microseconds=microseconds)
    paid = trade(funding=(FundingReceived(Leg.LONG, Decimal("0.01"), paid_at),))
    assert (funding_received_usdt(paid, current, NOW) is not None) is known


def test_the_first_entry_is_no_scale_in_and_the_newest_of_the_others_is_the_last() -> None:
    times = [OPENED_AT + timedelta(minutes=minutes) for minutes in (0, 10, 20)]
    entries = tuple(entry(number, filled_at=at) for number, at in enumerate(times, start=1))
    assert trade(entries=entries[:1]).last_scale_in_at is None
    assert trade(entries=entries[:2]).last_scale_in_at == times[1]
    assert trade(entries=entries).last_scale_in_at == times[2]


@pytest.mark.parametrize(
    ("action", "reason", "takes_profit"),
    [
        (Action.CLOSE, TAKE_PROFIT, True),
        (Action.CLOSE, "max_hold_days", False),
        (Action.CLOSE_AGAIN, TAKE_PROFIT, False),
    ],
)
def test_only_a_new_close_for_profit_has_to_be_confirmed(action: Action, reason: str, takes_profit: bool) -> None:
    assert Verdict(action, reason, {}).takes_profit is takes_profit


def test_without_a_target_or_an_entry_there_is_no_line_to_show() -> None:
    assert take_profit_line_pct(trade(take_profit_pnl=None)) is None
    assert take_profit_line_pct(trade(entries=())) is None
