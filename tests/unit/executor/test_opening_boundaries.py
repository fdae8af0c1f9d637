"""SPEC 4 where its rules meet: their order as one gate, which refusals may be tried again, the limits at the edge."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from common.domain.funding import FundingTerms
from common.domain.identifiers import Leg
from common.domain.instruments import Instrument
from executor.domain.gate import Candidate, GateRules, Standing, refuse, refuse_by_funding
from executor.domain.preflight import MARGIN_CUSHION, LegReadiness, refuse_leg

RULES = GateRules(True, ("binance", "bybit"), 0.0085, 0.85, concurrent_max=2, abs_funding_max=0.001)
GOOD = Candidate("B", "SOL", "bybit", "binance", pnl_hat=0.0085, win_prob=0.85)
CALM = Standing("active", active_trade_on_symbol=None, active_trades=0)
SOL = Instrument(
    "bybit",
    "SOL",
    quantity_step=Decimal("0.1"),
    quantity_min=Decimal("0.2"),
    notional_min=Decimal(5),
    price_tick=Decimal("0.01"),
    quantity_max=Decimal(100),
    leverage_max=Decimal(10),
)
READY = LegReadiness(Leg.SHORT, SOL, Decimal(1_000_000), True, held=Decimal(0), expected=Decimal(0))


def test_the_gate_asks_in_the_order_of_the_specification() -> None:
    """Everything is wrong at first; each repair uncovers the next rule."""
    candidate = Candidate("A", "SOL", "okx", "binance", pnl_hat=None, win_prob=None)
    standing, rules = Standing("halted", active_trade_on_symbol=7, active_trades=2), replace(RULES, enabled=False)
    active = replace(standing, trading_state="active")
    attempts = [
        (candidate, rules, standing),
        (candidate, RULES, standing),
        (candidate, RULES, active),
        (replace(GOOD, long_venue="okx", pnl_hat=None), RULES, active),
        (replace(GOOD, pnl_hat=None), RULES, active),
        (GOOD, RULES, active),
        (GOOD, RULES, replace(CALM, active_trades=2)),
        (GOOD, RULES, CALM),
    ]
    refusals = [refuse(*attempt) for attempt in attempts]
    found = [(refusal.reason, refusal.retryable) if refusal else None for refusal in refusals]
    assert found == [
        ("trading_disabled", True),
        ("trading_halted", True),
        ("type_not_traded", False),
        ("venue_not_allowed", False),
        ("below_threshold", True),
        ("active_trade_exists", True),
        ("concurrency_limit", True),
        None,
    ]


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("rate", "reason"),
    [(-0.00099999, None), (-0.001, None), (-0.00100001, "funding_too_high"), (0.00100001, "funding_too_high")],
)
def test_the_funding_guard_looks_at_both_venues_and_both_signs(place: int, rate: float, reason: str | None) -> None:
    rates = [0.0, 0.0]
    rates[place] = rate
    terms = [FundingTerms(name, "SOL", rates[n], 8, None) for n, name in enumerate(("binance", "bybit"))]
    refusal = refuse_by_funding(RULES, ["binance", "bybit"], terms)
    assert (refusal.reason if refusal else None) == reason
    assert refusal is None or refusal.retryable


@pytest.mark.parametrize(
    ("quantity", "price", "leverage", "limit"),
    [
        ("0.1", "1000", 2, "lot"),
        ("0.2", "1000", 2, None),
        ("0.3", "1000", 2, None),
        ("0.2", "24.99", 2, "lot"),
        ("0.2", "25", 2, None),
        ("99.9", "1000", 2, None),
        ("100", "1000", 2, None),
        ("100.1", "1000", 2, "lot"),
        ("1", "1000", 9, None),
        ("1", "1000", 10, None),
        ("1", "1000", 11, "leverage"),
    ],
)
def test_an_entry_may_be_as_small_and_as_large_as_the_venue_says(
    quantity: str, price: str, leverage: int, limit: str | None
) -> None:
    refusal = refuse_leg(READY, Decimal(quantity), Decimal(price), leverage)
    assert (refusal.evidence["limit"] if refusal else None) == limit


@pytest.mark.parametrize(("free", "limit"), [("50.99", "margin"), ("51", None), ("51.01", None)])
def test_the_margin_is_what_the_leverage_leaves_and_its_cushion(free: str, limit: str | None) -> None:
    assert Decimal("1.02") == MARGIN_CUSHION
    refusal = refuse_leg(replace(READY, free_usdt=Decimal(free)), Decimal(1), Decimal(100), 2)
    assert (refusal.evidence["limit"] if refusal else None) == limit


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("off_by", "limit"), [("0.199", None), ("0.2", "position"), ("0.201", "position")])
def test_a_position_may_be_off_by_dust_and_by_no_more_for_now(sign: int, off_by: str, limit: str | None) -> None:
    leg = replace(READY, expected=Decimal(-2), held=Decimal(-2) + sign * Decimal(off_by))
    refusal = refuse_leg(leg, Decimal(1), Decimal(100), 2)
    assert (refusal.evidence["limit"] if refusal else None) == limit
    assert refusal is None or refusal.retryable


def test_a_failed_preflight_ends_the_signal_and_names_the_leg() -> None:
    refusal: Any = refuse_leg(replace(READY, is_one_way=False), Decimal(1), Decimal(100), 2)
    assert (refusal.reason, refusal.retryable, refusal.evidence["leg"]) == ("preflight_failed", False, "short")
