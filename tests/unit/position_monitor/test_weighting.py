"""SPEC 2 on a trade of several entries: weighted figures are those of its fills, and only k = 1 sets its anchors."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from math import isclose, log
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.identifiers import Leg, Purpose
from common.domain.position import LegFill
from common.domain.scale_in import next_trigger_pct
from common.domain.spread import entry_spread_pct
from executor.domain.pair import entry_fill
from position_monitor.domain.exits import decide, force_close_at, scale_in_state
from position_monitor.domain.trade import FilledEntry, Trade
from support.watched_trades import NOW, OPENED_AT, exit_rules, market, position, trade


class Filled(NamedTuple):
    """One entry's fills: base quantity, bought at, sold at."""

    quantity: Decimal
    long: Decimal
    short: Decimal


PRICES = st.decimals("90", "110", places=3)
FILLS = st.lists(st.builds(Filled, st.decimals("0.001", "50", places=3), PRICES, PRICES), min_size=1, max_size=5)


def trade_of(filled: list[Filled]) -> Trade:
    """A trade with these entries, ten minutes apart."""
    entries, fills = [], []
    for number, part in enumerate(filled, start=1):
        worth = entry_fill(*part, swept_pct=entry_spread_pct(part.long, part.short))
        at = OPENED_AT + timedelta(minutes=10 * (number - 1))
        entries.append(FilledEntry(number, worth.notional_usdt, worth.metric, worth.pct, at))
        fills.append(LegFill(Leg.LONG, Purpose.OPEN, part.quantity, part.long))
        fills.append(LegFill(Leg.SHORT, Purpose.OPEN, part.quantity, part.short))
    return trade(entries=tuple(entries), fills=tuple(fills), force_close_at=None)


@given(FILLS)
def test_the_weighted_figures_equal_the_recomputation_from_the_fills(filled: list[Filled]) -> None:
    watched = trade_of(filled)
    quantity = sum(Fraction(part.quantity) for part in filled)
    sold = sum(Fraction(part.quantity) * Fraction(part.short) for part in filled)
    bought = sum(Fraction(part.quantity) * Fraction(part.long) for part in filled)
    metric = sum(float(part.quantity * part.short) * log(part.short / part.long) for part in filled) / float(sold)
    assert watched.entry_metric_weighted == pytest.approx(metric, abs=1e-12)
    for leg, cost in ((Leg.LONG, bought), (Leg.SHORT, sold)):
        average = watched.leg(leg).average_price
        assert average is not None
        assert watched.leg(leg).quantity == sum(part.quantity for part in filled)
        assert isclose(average, cost / quantity, rel_tol=1e-24)
    assert watched.per_leg_notional_usdt == sum(part.quantity * part.short for part in filled)


@given(FILLS)
def test_adding_an_entry_moves_neither_the_target_nor_the_time_nor_the_first_spread(filled: list[Filled]) -> None:
    first, whole = trade_of(filled[:1]), trade_of(filled)
    assert whole.take_profit_pnl == first.take_profit_pnl
    assert force_close_at(whole, exit_rules()) == force_close_at(first, exit_rules()) == OPENED_AT + timedelta(days=7)
    assert whole.first_entry_spread_pct == first.first_entry_spread_pct


@given(FILLS, st.floats(-0.05, 0.05))
def test_profit_is_taken_exactly_where_the_weighted_spread_has_earned_the_first_target(
    filled: list[Filled], earned: float
) -> None:
    watched = replace(trade_of(filled), take_profit_pnl=0.01)
    seen = market(watched, size="1000")
    assert seen.valuation is not None
    at = replace(seen, valuation=replace(seen.valuation, pnl_spread=earned))
    assert decide(position(watched), at, exit_rules(), NOW).takes_profit is (earned >= 0.01)


@given(FILLS)
def test_the_next_trigger_depends_on_the_first_spread_and_the_number_of_entries_alone(filled: list[Filled]) -> None:
    watched = trade_of(filled)
    seen = market(watched, size="1000")
    assert seen.valuation is not None
    state = scale_in_state(watched, seen.valuation, exit_rules())
    assert state is not None
    first = float(filled[0].short / filled[0].long - 1)
    assert next_trigger_pct(state, exit_rules().scale_in) == pytest.approx(first * 1.5 ** len(filled))


@given(FILLS)
def test_a_trade_is_valued_as_the_sum_of_its_entries(filled: list[Filled]) -> None:
    """What the whole earns at given exit prices is what the entries earn at them, one by one."""
    seen = market(trade_of(filled), "101", "102.5", size="1000")
    assert seen.valuation is not None
    apart = sum((Decimal(101) - part.long + part.short - Decimal("102.5")) * part.quantity for part in filled)
    assert isclose(seen.valuation.position_pnl_usdt, apart, rel_tol=1e-18, abs_tol=1e-18)
