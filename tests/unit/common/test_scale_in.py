"""SPEC 7: each limit at its boundary, in order, and each refusal with its figures."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.domain.scale_in import ScaleInState, next_trigger_pct, scale_in_refusal
from common.runtime.settings import TradingSettings, load
from support.watched_trades import FIRST_PCT, NOW, fresh_event, scale_in_rules

TRIGGER = FIRST_PCT * 1.5


def state(**changes: Any) -> ScaleInState:
    plain = ScaleInState(
        entries=1,
        first_entry_spread_pct=FIRST_PCT,
        exit_spread_pct_now=TRIGGER,
        last_scale_in_at=None,
        per_leg_notional_usdt=Decimal(50),
        next_entry_notional_usdt=Decimal(50),
        event=fresh_event(),
    )
    return replace(plain, **changes)


def reason_of(given: ScaleInState, **rules: Any) -> str | None:
    refusal = scale_in_refusal(given, scale_in_rules(**rules), NOW)
    return refusal.reason if refusal else None


def test_a_trade_that_meets_every_limit_may_take_an_entry() -> None:
    assert reason_of(state()) is None


def test_nothing_is_added_while_scale_in_is_disabled() -> None:
    assert reason_of(state(), enabled=False) == "scale_in_disabled"


@pytest.mark.parametrize(("entries", "expected"), [(3, None), (4, "max_entries"), (5, "max_entries")])
def test_entries_stop_at_the_maximum(entries: int, expected: str | None) -> None:
    given = state(entries=entries, exit_spread_pct_now=1.0, per_leg_notional_usdt=Decimal(150))
    assert reason_of(given) == expected


@pytest.mark.parametrize(
    ("spread", "expected"), [(TRIGGER - 1e-12, "not_triggered"), (TRIGGER, None), (TRIGGER + 1e-12, None)]
)
def test_the_spread_must_reach_the_trigger(spread: float, expected: str | None) -> None:
    assert reason_of(state(exit_spread_pct_now=spread)) == expected


def test_the_trigger_grows_by_its_multiplier_with_every_entry() -> None:
    triggers = [next_trigger_pct(state(entries=n), scale_in_rules()) for n in (1, 2, 3)]
    assert triggers == pytest.approx([0.03, 0.045, 0.0675])


@pytest.mark.parametrize(("microseconds", "expected"), [(-1, "cooldown"), (0, None), (1, None)])
def test_the_interval_since_the_last_scale_in_must_be_over(microseconds: int, expected: str | None) -> None:
    last = NOW - timedelta(minutes=30, microseconds=microseconds)
    given = state(entries=2, exit_spread_pct_now=1.0, last_scale_in_at=last, event=fresh_event(last_observed_at=NOW))
    assert reason_of(given) == expected


@pytest.mark.parametrize(("held", "expected"), [("149.99", None), ("150", None), ("150.01", "notional_cap")])
def test_one_leg_never_holds_more_than_the_cap(held: str, expected: str | None) -> None:
    assert reason_of(state(per_leg_notional_usdt=Decimal(held))) == expected


@pytest.mark.parametrize(("microseconds", "expected"), [(-1, None), (0, None), (1, "no_fresh_signal")])
def test_evidence_must_be_young_enough(microseconds: int, expected: str | None) -> None:
    seen_at = NOW - timedelta(minutes=30, microseconds=microseconds)
    assert reason_of(state(event=fresh_event(last_observed_at=seen_at))) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(-1, "no_fresh_signal"), (0, "no_fresh_signal"), (1, None)])
def test_evidence_must_be_newer_than_the_last_scale_in(seconds: int, expected: str | None) -> None:
    last = NOW - timedelta(minutes=10)
    event = fresh_event(last_observed_at=last + timedelta(seconds=seconds))
    given = state(entries=2, exit_spread_pct_now=1.0, last_scale_in_at=last, event=event)
    assert reason_of(given, min_interval_minutes=5) == expected


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ({"pnl_hat": 0.0085, "win_prob": 0.85}, None),
        ({"pnl_hat": 0.00849}, "no_fresh_signal"),
        ({"win_prob": 0.8499}, "no_fresh_signal"),
        ({"pnl_hat": None}, "no_fresh_signal"),
    ],
)
def test_evidence_must_still_meet_the_thresholds(prediction: dict[str, Any], expected: str | None) -> None:
    assert reason_of(state(event=fresh_event(**prediction))) == expected


def test_without_an_event_there_is_no_fresh_signal() -> None:
    assert reason_of(state(event=None)) == "no_fresh_signal"


def test_the_limits_are_asked_in_order() -> None:
    """Everything is wrong at first; each repair uncovers the next limit."""
    now_wrong = state(
        entries=4,
        exit_spread_pct_now=0.0,
        last_scale_in_at=NOW,
        per_leg_notional_usdt=Decimal(1000),
        event=None,
    )
    found = [reason_of(now_wrong, enabled=False), reason_of(now_wrong)]
    for repair in (
        {"entries": 2},
        {"exit_spread_pct_now": 1.0},
        {"last_scale_in_at": NOW - timedelta(hours=1)},
        {"per_leg_notional_usdt": Decimal(100)},
        {"event": fresh_event()},
    ):
        now_wrong = replace(now_wrong, **repair)
        found.append(reason_of(now_wrong))
    expected = ["scale_in_disabled", "max_entries", "not_triggered", "cooldown", "notional_cap", "no_fresh_signal"]
    assert found == [*expected, None]


@pytest.mark.parametrize(
    ("changes", "figures"),
    [
        ({"entries": 4}, {"entries": 4, "max_entries": 4}),
        ({"exit_spread_pct_now": 0.01}, {"exit_spread_pct_now": 0.01, "next_trigger_spread_pct": TRIGGER}),
        ({"last_scale_in_at": NOW}, {"over_at": (NOW + timedelta(minutes=30)).isoformat(), "min_interval_minutes": 30}),
        ({"per_leg_notional_usdt": Decimal(170)}, {"per_leg_notional_usdt": "170", "notional_cap_usdt": "200"}),
        ({"event": None}, {"failed": "no_event", "signal_max_age_minutes": 30, "pnl_threshold": 0.0085}),
        ({"event": fresh_event(win_prob=0.5)}, {"failed": "below_threshold", "win_prob": 0.5, "event_id": 11}),
    ],
)
def test_each_refusal_carries_the_figures_it_compared(changes: dict[str, Any], figures: dict[str, Any]) -> None:
    refusal = scale_in_refusal(state(**changes), scale_in_rules(), NOW)
    assert refusal is not None
    assert figures.items() <= refusal.evidence.items()


def test_a_cap_that_follows_from_the_entries_forgives_a_fill_above_plan() -> None:
    rules = load(TradingSettings, {}).scale_in_rules
    given = state(entries=3, exit_spread_pct_now=1.0, per_leg_notional_usdt=Decimal("150.3"))
    assert scale_in_refusal(given, rules, NOW) is None


def test_a_cap_that_was_set_is_exact() -> None:
    rules = load(TradingSettings, {"LIVE_TRADING_SCALE_IN_MAX_TOTAL_NOTIONAL": "200"}).scale_in_rules
    given = state(entries=3, exit_spread_pct_now=1.0, per_leg_notional_usdt=Decimal("150.3"))
    refusal = scale_in_refusal(given, rules, NOW)
    assert refusal is not None
    assert refusal.reason == "notional_cap"
