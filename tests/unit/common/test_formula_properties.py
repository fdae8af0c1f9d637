"""SPEC 2, formula by formula: what holds for all figures, not only for the examples."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import exp, isclose

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.domain.funding import FundingTerms, funding_per_hour, projected_net_cost
from common.domain.order_book import BookSide
from common.domain.spread import (
    entry_spread_metric,
    entry_spread_pct,
    exit_spread_metric,
    exit_spread_pct,
    scale_in_trigger_pct,
    take_profit_exit_spread_pct,
)

NOW = datetime(2025, 5, 6, 7, 20, tzinfo=UTC)
PRICES = st.decimals("0.001", "100000", places=3)
LEVELS = st.lists(st.tuples(PRICES, st.decimals("0.01", "50", places=2)), min_size=1, max_size=12)
BIDS = LEVELS.map(lambda levels: BookSide(tuple(sorted(levels, reverse=True))))
ROUNDING = Decimal("1e-24")
TERMS = st.builds(
    FundingTerms,
    venue=st.just("any"),
    symbol=st.just("LAYER"),
    rate=st.floats(-0.02, 0.02),
    interval_hours=st.sampled_from([1.0, 2.0, 4.0, 8.0]),
    next_at=st.one_of(st.none(), st.integers(0, 8 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))),
)


@given(PRICES, PRICES)
def test_metric_and_percentage_say_the_same_spread(low: Decimal, high: Decimal) -> None:
    assert isclose(exp(entry_spread_metric(low, high)) - 1, entry_spread_pct(low, high), rel_tol=1e-9, abs_tol=1e-12)
    assert isclose(exp(exit_spread_metric(low, high)) - 1, exit_spread_pct(low, high), rel_tol=1e-9, abs_tol=1e-12)


@given(PRICES, PRICES, st.decimals("0", "0.01", places=5))
def test_leaving_at_once_gives_back_both_spreads(long_buy: Decimal, short_sell: Decimal, half: Decimal) -> None:
    """A book that is not crossed sells at or below what it buys at, so no trade earns from standing still."""
    long_sell, short_buy = long_buy * (1 - half), short_sell * (1 + half)
    assert entry_spread_metric(long_buy, short_sell) <= exit_spread_metric(long_sell, short_buy) + 1e-12


@given(BIDS, st.decimals("0.01", "0.99", places=2))
def test_selling_the_whole_is_never_better_than_selling_a_part(side: BookSide, share: Decimal) -> None:
    whole = sum((size for _, size in side.levels), Decimal(0))
    assert side.sweep_quantity(whole * share).price >= side.sweep_quantity(whole).price * (1 - ROUNDING)
    value = side.sweep_quantity(whole).notional * (1 - ROUNDING)
    assert side.sweep_notional(value * share).price >= side.sweep_notional(value).price * (1 - ROUNDING)


@given(BIDS, st.decimals("0.01", "1", places=2))
def test_an_average_lies_between_the_best_and_the_worst_price(side: BookSide, share: Decimal) -> None:
    sweep = side.sweep_quantity(sum((size for _, size in side.levels), Decimal(0)) * share)
    assert side.best is not None
    assert sweep.worst_price * (1 - ROUNDING) <= sweep.price <= side.best * (1 + ROUNDING)


@given(st.floats(0.001, 0.2), st.floats(1.01, 3), st.integers(1, 6))
def test_every_trigger_is_wider_than_the_one_before_and_than_the_entry(
    first: float, multiplier: float, entries: int
) -> None:
    assert scale_in_trigger_pct(first, multiplier, entries) > first
    now, following = (scale_in_trigger_pct(first, multiplier, count) for count in (entries, entries + 1))
    assert following == pytest.approx(now * multiplier)


@given(st.floats(-0.1, 0.2), st.floats(0, 0.1))
def test_the_target_lies_below_the_entry_by_what_is_to_be_earned(metric: float, target: float) -> None:
    assert take_profit_exit_spread_pct(metric, target) <= exp(metric) - 1 + 1e-12
    assert take_profit_exit_spread_pct(metric, 0.0) == pytest.approx(exp(metric) - 1)


@given(TERMS, TERMS)
def test_what_one_direction_earns_the_other_pays(one: FundingTerms, other: FundingTerms) -> None:
    assert funding_per_hour(one, other) == pytest.approx(-funding_per_hour(other, one), abs=1e-15)
    cost = projected_net_cost(one, other, NOW, 8)
    assert cost == pytest.approx(-projected_net_cost(other, one, NOW, 8), abs=1e-15)


@given(TERMS, st.floats(0.1, 48), st.floats(0.1, 48))
def test_a_longer_horizon_counts_no_fewer_settlements(terms: FundingTerms, one: float, other: float) -> None:
    assume(terms.rate > 0)
    free = FundingTerms("any", "LAYER", 0.0, 8, None)
    shorter, longer = sorted((one, other))
    assert projected_net_cost(terms, free, NOW, shorter) <= projected_net_cost(terms, free, NOW, longer) + 1e-15


@given(TERMS, st.integers(1, 6))
def test_over_whole_intervals_the_projection_is_the_hourly_rate(terms: FundingTerms, intervals: int) -> None:
    """From one settlement to just before the next but n, n of them are paid: the rate an hour, times the hours."""
    assume(terms.next_at is not None)
    free = FundingTerms("any", "LAYER", 0.0, 8, None)
    horizon_hours = intervals * terms.interval_hours
    assert terms.next_at is not None
    just_after = terms.next_at - timedelta(hours=terms.interval_hours)
    paid = projected_net_cost(terms, free, just_after, horizon_hours)
    assert paid == pytest.approx(funding_per_hour(free, terms) * horizon_hours, abs=1e-12)
