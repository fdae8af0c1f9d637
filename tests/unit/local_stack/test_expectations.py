"""A run passes when everything that its scenario expects came true, and says by name what did not."""

from decimal import Decimal
from typing import Any

import pytest

from local_stack.expectations import Outcome, can_be_met_early, unmet
from local_stack.recorded import Recorded
from local_stack.trades import Signal
from venue_sim.scenario import Expectations


def closed_trade(**changed: Any) -> Signal:
    figures = {
        "id": 1,
        "symbol": "SOL",
        "status": "closed",
        "long_venue": "binance",
        "short_venue": "bybit",
        "close_reason": "take_profit",
        "entries_count": 1,
        "opened_at": "2025-10-10T21:20:00Z",
        "finalised_at": "2025-10-10T21:30:00Z",
        "funding_usdt": "-0.2",
        "net_pnl_usdt": "0.5",
    }
    return Signal.model_validate(figures | changed)


RECORDED = Recorded(
    decisions=frozenset({"skipped:book_stale", "scaled_in"}),
    verdicts=frozenset({"hold:cooldown"}),
    observations_refused=frozenset({"funding_net_cost"}),
)


def names_of_unmet(expected: dict[str, Any], *signals: Signal) -> list[str]:
    return [miss.name for miss in unmet(Expectations(**expected), Outcome(signals, RECORDED))]


@pytest.mark.parametrize(
    ("met", "missed"),
    [
        ({"trades_closed_min": 1}, {"trades_closed_min": 2}),
        ({"trades_opened_max": 1}, {"trades_opened_max": 0}),
        ({"entries_min": 1}, {"entries_min": 2}),
        ({"entries_exactly": 1}, {"entries_exactly": 2}),
        ({"close_reasons": ["take_profit"]}, {"close_reasons": ["take_profit", "max_hold_days"]}),
        ({"skipped_reasons": ["book_stale"]}, {"skipped_reasons": ["book_crossed"]}),
        ({"decisions": ["scaled_in", "skipped:book_stale"]}, {"decisions": ["scaled_in", "expired:event_closed"]}),
        ({"verdicts": ["hold:cooldown"]}, {"verdicts": ["hold:notional_cap"]}),
        ({"observations_refused": ["funding_net_cost"]}, {"observations_refused": ["funding_unknown"]}),
        ({"funding_max_usdt": Decimal("-0.2")}, {"funding_max_usdt": Decimal("-0.21")}),
        ({"net_pnl_min_usdt": Decimal("0.5")}, {"net_pnl_min_usdt": Decimal("0.51")}),
    ],
)
def test_each_expectation_is_met_or_named(met: dict[str, Any], missed: dict[str, Any]) -> None:
    assert names_of_unmet(met, closed_trade()) == []
    assert names_of_unmet(missed, closed_trade()) == list(missed)


def test_every_expectation_that_a_scenario_may_have_is_checked() -> None:
    impossible = Expectations(
        trades_closed_min=9,
        trades_opened_max=0,
        entries_min=9,
        entries_exactly=9,
        close_reasons=["x"],
        skipped_reasons=["x"],
        decisions=["x"],
        verdicts=["x"],
        observations_refused=["x"],
        funding_max_usdt=Decimal(-9),
        net_pnl_min_usdt=Decimal(9),
    )
    found = {miss.name for miss in unmet(impossible, Outcome([closed_trade()]))}
    assert found == set(Expectations.model_fields)


def test_nothing_is_expected_of_a_scenario_that_expects_nothing() -> None:
    assert names_of_unmet({}) == []


def test_a_missing_reason_is_told_together_with_those_that_were_there() -> None:
    (miss,) = unmet(Expectations(close_reasons=["max_hold_days"]), Outcome([closed_trade()]))
    assert str(miss) == "close_reasons: expected max_hold_days, found take_profit"


@pytest.mark.parametrize("status", ["opening", "open", "closing"])
def test_an_active_trade_is_not_settled(status: str) -> None:
    assert not Outcome([closed_trade(status=status)]).is_settled


def test_a_closed_trade_is_settled_once_it_is_finalised() -> None:
    assert not Outcome([closed_trade(finalised_at=None)]).is_settled
    assert Outcome([closed_trade()]).is_settled


def test_an_upper_bound_needs_the_whole_market() -> None:
    assert can_be_met_early(Expectations(trades_closed_min=1))
    assert not can_be_met_early(Expectations(trades_opened_max=1))
