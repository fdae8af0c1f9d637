"""An observation triggers or is refused for one reason; every bound is tested at it, just under and just over."""

from dataclasses import replace

import pytest

from signal_ingest.domain.observation import ObservationType
from signal_ingest.domain.trigger import FundingFilterMode, Refusal, judge
from support.observed_pairs import RULES, at, observation, with_funding


@pytest.mark.parametrize(
    ("short_price", "refusal"),
    [
        ("201.99999", Refusal.SPREAD_TOO_SMALL),
        ("202", Refusal.SPREAD_TOO_SMALL),
        ("202.00001", None),
        ("190", Refusal.SPREAD_TOO_SMALL),
        ("260", None),
        ("260.00001", Refusal.IMPLAUSIBLE_SPREAD),
    ],
)
def test_the_gap_must_exceed_the_spread_and_stay_plausible(short_price: str, refusal: Refusal | None) -> None:
    assert judge(observation(short_price=short_price), at(0), RULES).refusal == refusal


@pytest.mark.parametrize(
    ("long_rate", "refusal"), [(0.0009, None), (0.001, None), (0.0011, Refusal.FUNDING_NET_COST), (-0.01, None)]
)
def test_projected_net_funding_must_not_cost_more_than_the_maximum(long_rate: float, refusal: Refusal | None) -> None:
    rules = replace(RULES, funding_filter="net_cost")
    assert judge(with_funding(observation(), long_rate, 0.0), at(0), rules).refusal == refusal


def test_every_settlement_within_the_horizon_counts() -> None:
    rules = replace(RULES, funding_filter="net_cost", net_cost_max=0.0035)
    hourly = with_funding(observation(), 0.0005, 0.0, interval_hours=1, next_at=at(3600))
    assert judge(hourly, at(0), rules).refusal is Refusal.FUNDING_NET_COST
    assert judge(hourly, at(0), replace(rules, net_cost_horizon_hours=7)).refusal is None


@pytest.mark.parametrize(
    ("rate", "refusal"),
    [
        (0.001, None),
        (-0.001, None),
        (0.00100001, Refusal.FUNDING_OUT_OF_RANGE),
        (-0.00100001, Refusal.FUNDING_OUT_OF_RANGE),
    ],
)
@pytest.mark.parametrize("on_the_long_leg", [True, False])
def test_both_rates_must_be_within_the_range(rate: float, refusal: Refusal | None, on_the_long_leg: bool) -> None:
    rules = replace(RULES, funding_filter="range")
    rates = (rate, 0.0) if on_the_long_leg else (0.0, rate)
    assert judge(with_funding(observation(), *rates), at(0), rules).refusal == refusal


@pytest.mark.parametrize(
    ("mode", "refusal"), [("net_cost", Refusal.FUNDING_UNKNOWN), ("range", Refusal.FUNDING_UNKNOWN), ("off", None)]
)
def test_unknown_funding_refuses_unless_the_filter_is_off(mode: FundingFilterMode, refusal: Refusal | None) -> None:
    half_known = with_funding(observation(), 0.0001, None)
    assert judge(half_known, at(0), replace(RULES, funding_filter=mode)).refusal == refusal


def test_a_rate_without_its_interval_is_unknown_to_the_net_cost() -> None:
    no_interval = with_funding(observation(), 0.0, 0.0, interval_hours=None)
    rules = replace(RULES, funding_filter="net_cost")
    assert judge(no_interval, at(0), rules).refusal is Refusal.FUNDING_UNKNOWN


@pytest.mark.parametrize("type_", ["A", "C"])
def test_types_a_and_c_are_triggered_by_being_sent(type_: ObservationType) -> None:
    rules = replace(RULES, funding_filter="net_cost")
    assert judge(observation(type_=type_, short_price="200"), at(0), rules).triggered


@pytest.mark.parametrize(("age_seconds", "refusal"), [(180, None), (180.001, Refusal.STALE_OBSERVATION)])
def test_an_observation_older_than_the_cooldown_says_nothing_about_now(
    age_seconds: float, refusal: Refusal | None
) -> None:
    judged = judge(observation(0), at(age_seconds), RULES)
    assert judged.refusal == refusal
    assert judged.is_current == (refusal is None)
