"""SPEC 4, steps 1 to 4: each rule at its boundary, and the order in which they speak."""

from dataclasses import replace
from typing import Any

import pytest

from common.domain.funding import FundingTerms
from executor.domain.gate import (
    Candidate,
    GateRules,
    Standing,
    refuse_by_funding,
    refuse_by_rules,
    refuse_by_standing,
    refuse_by_state,
)
from executor.domain.refusal import Refusal

RULES = GateRules(
    enabled=True,
    allowed_venues=("binance", "bybit"),
    pnl_threshold=0.0085,
    win_prob_threshold=0.85,
    concurrent_max=2,
    abs_funding_max=0.001,
)
GOOD = Candidate("B", "SOL", "bybit", "binance", pnl_hat=0.0085, win_prob=0.85)
CALM = Standing(trading_state="active", active_trade_on_symbol=None, active_trades=0)


def reason_of(refusal: Refusal | None) -> str | None:
    return refusal.reason if refusal else None


def terms(venue: str, rate: float) -> FundingTerms:
    return FundingTerms(venue, "SOL", rate, 8, None)


def test_a_candidate_exactly_at_both_thresholds_passes() -> None:
    assert refuse_by_rules(GOOD, RULES) is None


@pytest.mark.parametrize(
    ("change", "reason", "retryable"),
    [
        ({"type": "A"}, "type_not_traded", False),
        ({"type": "C"}, "type_not_traded", False),
        ({"long_venue": "okx"}, "venue_not_allowed", False),
        ({"short_venue": "okx"}, "venue_not_allowed", False),
        ({"pnl_hat": 0.00849}, "below_threshold", True),
        ({"win_prob": 0.8499}, "below_threshold", True),
        ({"pnl_hat": None}, "below_threshold", True),
        ({"win_prob": None}, "below_threshold", True),
    ],
)
def test_the_first_broken_rule_is_the_reason(change: Any, reason: Any, retryable: Any) -> None:
    refusal: Any = refuse_by_rules(replace(GOOD, **change), RULES)
    assert refusal is not None
    assert (refusal.reason, refusal.retryable) == (reason, retryable)


def test_type_is_looked_at_before_venue_and_venue_before_thresholds() -> None:
    wrong = replace(GOOD, type="A", long_venue="okx", pnl_hat=None)
    assert reason_of(refuse_by_rules(wrong, RULES)) == "type_not_traded"
    assert reason_of(refuse_by_rules(replace(wrong, type="B"), RULES)) == "venue_not_allowed"


@pytest.mark.parametrize("state", ["reducing", "halted"])
def test_only_the_active_state_opens(state: Any) -> None:
    assert refuse_by_state(RULES, "active") is None
    assert reason_of(refuse_by_state(RULES, state)) == "trading_halted"


def test_a_disabled_system_opens_nothing_and_tries_again_later() -> None:
    refusal: Any = refuse_by_state(replace(RULES, enabled=False), "active")
    assert (refusal.reason, refusal.retryable) == ("trading_disabled", True)


def test_one_active_trade_a_symbol() -> None:
    refusal: Any = refuse_by_standing(RULES, replace(CALM, active_trade_on_symbol=7))
    assert refusal.reason == "active_trade_exists"
    assert refusal.evidence == {"active_trade": 7}


@pytest.mark.parametrize(("active", "reason"), [(1, None), (2, "concurrency_limit"), (3, "concurrency_limit")])
def test_the_number_of_trades_is_limited(active: Any, reason: Any) -> None:
    refusal: Any = refuse_by_standing(RULES, replace(CALM, active_trades=active))
    assert (refusal.reason if refusal else None) == reason


@pytest.mark.parametrize(("rate", "reason"), [(0.001, None), (-0.001, None), (0.0011, "funding_too_high")])
def test_the_funding_guard_bounds_the_absolute_rate(rate: Any, reason: Any) -> None:
    refusal: Any = refuse_by_funding(RULES, ["binance", "bybit"], [terms("binance", 0.0), terms("bybit", rate)])
    assert (refusal.reason if refusal else None) == reason


def test_an_unknown_funding_rate_is_no_zero() -> None:
    refusal: Any = refuse_by_funding(RULES, ["binance", "bybit"], [terms("binance", 0.0)])
    assert refusal.reason == "funding_unavailable"
    assert refusal.evidence["missing"] == ["bybit"]
