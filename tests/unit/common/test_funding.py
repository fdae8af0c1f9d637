"""Funding: each contract's own interval counts, and settlements are counted, not smeared."""

from datetime import UTC, datetime, timedelta

import pytest

from common.domain.funding import FundingTerms, funding_per_hour, projected_net_cost

NOW = datetime(2025, 5, 6, 12, 0, tzinfo=UTC)


def terms(rate: float, interval_hours: float, hours_to_next: float | None = 1) -> FundingTerms:
    next_at = None if hours_to_next is None else NOW + timedelta(hours=hours_to_next)
    return FundingTerms("binance", "LAYER", rate, interval_hours, next_at)


def test_a_short_that_is_paid_and_a_long_that_is_paid_are_income() -> None:
    assert funding_per_hour(long=terms(-0.008, 8), short=terms(0.004, 4)) == pytest.approx(0.002)


def test_the_same_rate_costs_more_when_it_is_charged_more_often() -> None:
    hourly = funding_per_hour(long=terms(0, 8), short=terms(-0.02, 1))
    every_four_hours = funding_per_hour(long=terms(0, 8), short=terms(-0.02, 4))
    assert hourly == pytest.approx(4 * every_four_hours)


@pytest.mark.parametrize(
    ("hours_to_next", "horizon_hours", "settlements"),
    [(1, 0.999, 0), (1, 1, 1), (1, 8.999, 1), (1, 9, 2), (8, 8, 1), (8.001, 8, 0), (-0.5, 1, 1)],
)
def test_settlements_inside_the_horizon_are_counted(
    hours_to_next: float, horizon_hours: float, settlements: int
) -> None:
    cost = projected_net_cost(terms(0.001, 8, hours_to_next), terms(0, 8), NOW, horizon_hours)
    assert cost == pytest.approx(settlements * 0.001)


def test_a_contract_without_a_next_time_is_charged_by_the_hour() -> None:
    assert projected_net_cost(terms(0.008, 8, None), terms(0, 8), NOW, 4) == pytest.approx(0.004)


def test_what_the_short_receives_is_no_cost() -> None:
    assert projected_net_cost(terms(0, 8), terms(0.001, 8), NOW, 8) == pytest.approx(-0.001)
