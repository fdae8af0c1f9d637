"""SPEC 2 on positions: whatever is weighted here equals the recomputation from the fills themselves."""

from decimal import Decimal
from fractions import Fraction
from math import isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.identifiers import Leg, Purpose
from common.domain.position import LegFill, LegPosition, leg_position, value_position
from common.domain.spread import (
    entry_spread_metric,
    entry_spread_pct,
    exit_spread_metric,
    exit_spread_pct,
    scale_in_trigger_pct,
    take_profit_exit_spread_pct,
    take_profit_pnl,
    weighted_entry_metric,
)

PRICES = st.decimals("0.0001", "100000", places=4)
QUANTITIES = st.decimals("0.001", "1000", places=3)
FILLS = st.lists(
    st.builds(LegFill, st.sampled_from(Leg), st.sampled_from(Purpose), QUANTITIES, PRICES), min_size=1, max_size=8
)
METRICS = st.floats(-0.5, 0.5)
ENTRIES = st.lists(st.tuples(QUANTITIES, METRICS), min_size=1, max_size=5)


@given(FILLS, st.sampled_from(Leg))
def test_a_leg_equals_the_recomputation_from_its_fills(fills: list[LegFill], leg: Leg) -> None:
    opened = [fill for fill in fills if fill.leg is leg and fill.purpose is Purpose.OPEN]
    reduced = [fill for fill in fills if fill.leg is leg and fill.purpose is not Purpose.OPEN]
    position = leg_position(fills, leg)
    assert position.quantity == sum(f.quantity for f in opened) - sum(f.quantity for f in reduced)
    if not opened:
        assert position.average_price is None
        return
    exact = sum(Fraction(f.quantity) * Fraction(f.price) for f in opened) / sum(Fraction(f.quantity) for f in opened)
    assert position.average_price is not None
    assert isclose(position.average_price, exact, rel_tol=1e-24)


@given(FILLS, QUANTITIES, PRICES, st.sampled_from([Purpose.UNWIND, Purpose.CLOSE]))
def test_reducing_a_leg_never_moves_its_average(
    fills: list[LegFill], quantity: Decimal, price: Decimal, purpose: Purpose
) -> None:
    reduced = [*fills, LegFill(Leg.LONG, purpose, quantity, price)]
    assert leg_position(reduced, Leg.LONG).average_price == leg_position(fills, Leg.LONG).average_price


@given(QUANTITIES, PRICES, PRICES, PRICES, PRICES, METRICS)
def test_a_valuation_equals_the_recomputation(
    quantity: Decimal, long: Decimal, short: Decimal, long_sell: Decimal, short_buy: Decimal, metric: float
) -> None:
    valuation = value_position(
        LegPosition(quantity, long),
        LegPosition(quantity, short),
        metric,
        long_sell,
        short_buy,
        fees_usdt=Decimal("0.1"),
        funding_usdt=Decimal("-0.2"),
    )
    assert valuation.position_pnl_usdt == quantity * (long_sell - long) + quantity * (short - short_buy)
    assert valuation.total_pnl_usdt == valuation.position_pnl_usdt - Decimal("0.3")
    assert valuation.total_pnl_pct == pytest.approx(float(valuation.total_pnl_usdt / (quantity * (long + short))))
    assert valuation.pnl_spread == pytest.approx(metric - log(float(short_buy / long_sell)), abs=1e-9)
    assert valuation.pnl_complete


@pytest.mark.parametrize(("fees", "funding"), [(None, Decimal(0)), (Decimal(0), None), (None, None)])
def test_an_unknown_fee_or_funding_makes_the_pnl_incomplete_and_counts_what_is_known(
    fees: Decimal | None, funding: Decimal | None
) -> None:
    leg = LegPosition(Decimal(1), Decimal(100))
    valuation = value_position(leg, leg, 0.02, Decimal(101), Decimal(100), fees_usdt=fees, funding_usdt=funding)
    assert not valuation.pnl_complete
    assert valuation.total_pnl_usdt == Decimal(1)


def test_a_leg_that_was_never_opened_cannot_be_valued() -> None:
    leg = LegPosition(Decimal(1), Decimal(100))
    with pytest.raises(ValueError, match="both legs"):
        value_position(
            leg, LegPosition(Decimal(0), None), 0.0, Decimal(1), Decimal(1), fees_usdt=None, funding_usdt=None
        )


@given(ENTRIES)
def test_the_weighted_metric_equals_the_recomputation_and_lies_between_its_entries(
    entries: list[tuple[Decimal, float]],
) -> None:
    exact = sum(Fraction(n) * Fraction(m) for n, m in entries) / sum(Fraction(n) for n, _ in entries)
    weighted = weighted_entry_metric(entries)
    assert weighted == pytest.approx(float(exact), abs=1e-12)
    metrics = [metric for _, metric in entries]
    assert min(metrics) - 1e-12 <= weighted <= max(metrics) + 1e-12


@given(ENTRIES, st.floats(0.01, 1), st.floats(0, 0.1))
def test_adding_an_entry_never_moves_the_take_profit_target(
    entries: list[tuple[Decimal, float]], ratio: float, pnl_hat: float
) -> None:
    """The target is a spread P&L; in exit spread it follows the weighted metric at the same distance."""
    target = take_profit_pnl(ratio, pnl_hat)
    for count in range(1, len(entries) + 1):
        metric = weighted_entry_metric(entries[:count])
        line = take_profit_exit_spread_pct(metric, target)
        assert metric - log(1 + line) == pytest.approx(target, abs=1e-12)


def test_no_entry_has_no_weighted_metric() -> None:
    with pytest.raises(ValueError, match="at least one"):
        weighted_entry_metric([])


def test_spreads_by_hand() -> None:
    low, high = Decimal(100), Decimal(102)
    assert entry_spread_metric(low, high) == pytest.approx(0.0198026, abs=1e-7)
    assert entry_spread_pct(low, high) == pytest.approx(0.02)
    assert exit_spread_metric(low, high) == pytest.approx(0.0198026, abs=1e-7)
    assert exit_spread_pct(low, high) == pytest.approx(0.02)
    assert scale_in_trigger_pct(0.02, 1.5, 2) == pytest.approx(0.045)
