"""SPEC 6: every rule at its boundary, and the order of the rules over the product of their conditions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from math import exp, log
from typing import Any

import pytest

from common.domain.funding import FundingTerms
from common.domain.identifiers import Leg
from position_monitor.domain.exits import HEDGE_GRACE_SECONDS, Action, Position, Verdict, decide
from position_monitor.domain.explanation import explain
from position_monitor.domain.hedge import Discrepancy, Suspicion
from position_monitor.domain.market import Market
from position_monitor.domain.trade import Trade
from support.watched_trades import (
    FIRST_PCT,
    NOW,
    VENUES,
    entry,
    exit_rules,
    fills_of,
    flat_terms,
    fresh_event,
    market,
    no_market,
    position,
    scale_in_rules,
    terms,
    trade,
)


def verdict_of(watched: Trade, seen: Market | None = None, **changes: Any) -> Verdict:
    return decide(position(watched, **changes), seen or market(watched), exit_rules(), NOW)


def named(verdict: Verdict) -> tuple[str, str]:
    return str(verdict.action), verdict.reason


def at_spread(watched: Trade, pnl_spread: float) -> Market:
    """The market of a trade whose exit is worth exactly this spread P&L."""
    seen = market(watched)
    assert seen.valuation is not None
    return replace(seen, valuation=replace(seen.valuation, pnl_spread=pnl_spread))


def suspicion(lasted_seconds: float) -> Suspicion:
    found = Discrepancy("leg_missing", None, {"long_quantity": "0"})
    return Suspicion(NOW - timedelta(seconds=lasted_seconds), None, found)


def venue_suspicion(read_again_after_seconds: float) -> Suspicion:
    """Suspected for ten minutes; the venue's position was read at their beginning, and again so long after."""
    since = NOW - timedelta(minutes=10)
    found = Discrepancy("venue_differs_long", since + timedelta(seconds=read_again_after_seconds), {})
    return Suspicion(since, since, found)


def funding(per_hour: float) -> dict[Leg, FundingTerms]:
    return {Leg.LONG: terms("binance", 0.0, 8), Leg.SHORT: terms("bybit", per_hour, 1)}


def test_a_trade_within_its_limits_is_held() -> None:
    assert named(verdict_of(trade())) == ("hold", "within_limits")


def test_a_trade_that_is_closing_is_closed_again_for_its_own_reason() -> None:
    verdict = verdict_of(trade(status="closing", close_reason="operator", close_requested_at=NOW))
    assert named(verdict) == ("close_again", "operator")
    assert verdict.figures == {"close_requested_at": NOW.isoformat()}


@pytest.mark.parametrize(
    ("lasted_seconds", "fires"),
    [(HEDGE_GRACE_SECONDS - 0.001, False), (HEDGE_GRACE_SECONDS, True), (HEDGE_GRACE_SECONDS + 0.001, True)],
)
def test_a_broken_hedge_is_closed_after_the_grace(lasted_seconds: float, fires: bool) -> None:
    verdict = verdict_of(trade(), suspicion=suspicion(lasted_seconds))
    assert (named(verdict) == ("close", "unhedged")) is fires


@pytest.mark.parametrize(("seconds", "fires"), [(0, False), (89.9, False), (90, True)])
def test_a_difference_at_a_venue_must_be_read_again_after_the_grace(seconds: float, fires: bool) -> None:
    verdict = verdict_of(trade(), suspicion=venue_suspicion(seconds))
    assert (named(verdict) == ("close", "unhedged")) is fires


@pytest.mark.parametrize(("microseconds", "fires"), [(1, False), (0, True), (-1, True)])
def test_the_maximum_hold_closes_when_it_is_over(microseconds: int, fires: bool) -> None:
    verdict = verdict_of(trade(force_close_at=NOW + timedelta(microseconds=microseconds)))
    assert (named(verdict) == ("close", "max_hold_days")) is fires


def test_the_maximum_hold_counts_from_the_first_entry_whatever_was_added() -> None:
    opened_at = NOW - timedelta(days=7)
    entries = (entry(filled_at=opened_at), entry(2, filled_at=NOW))
    watched = trade(force_close_at=None, opened_at=opened_at, entries=entries)
    assert verdict_of(watched).reason == "max_hold_days"


@pytest.mark.parametrize(
    ("per_hour", "fires"), [(-0.0029999, False), (-0.003, True), (-0.0030001, True), (0.003, False)]
)
def test_ruinous_funding_closes(per_hour: float, fires: bool) -> None:
    watched = trade()
    verdict = verdict_of(watched, market(watched, funding=funding(per_hour)))
    assert (named(verdict) == ("close", "stop_loss_funding_rate")) is fires


def test_the_funding_stop_reads_each_contracts_own_interval() -> None:
    watched = trade()
    hourly = {Leg.LONG: terms("binance"), Leg.SHORT: terms("bybit", -0.02, 1)}
    eight_hourly = {Leg.LONG: terms("binance"), Leg.SHORT: terms("bybit", -0.02, 8)}
    assert verdict_of(watched, market(watched, funding=hourly)).reason == "stop_loss_funding_rate"
    assert verdict_of(watched, market(watched, funding=eight_hourly)).action is Action.HOLD


@pytest.mark.parametrize("known", [(), (Leg.LONG,), (Leg.SHORT,)])
def test_unknown_funding_stops_nothing_and_the_evidence_says_so(known: tuple[Leg, ...]) -> None:
    watched = trade()
    partly = {leg: terms(VENUES[leg], -0.5, 1) for leg in known}
    seen = market(watched, funding=partly)
    assert verdict_of(watched, seen).action is Action.HOLD
    evidence = explain(position(watched), seen, exit_rules(), NOW)
    assert evidence["funding_unknown"] == [str(leg) for leg in Leg if leg not in known]
    assert evidence["funding_per_hour"] is None


@pytest.mark.parametrize(("share", "fires"), [(-0.0099999, False), (-0.01, True), (-0.0100001, True)])
def test_the_total_loss_stop_works_only_with_scale_in_disabled(share: float, fires: bool) -> None:
    watched = trade()
    seen = market(watched)
    assert seen.valuation is not None
    losing = replace(seen, valuation=replace(seen.valuation, total_pnl_pct=share))
    disabled = exit_rules(scale_in=scale_in_rules(enabled=False))
    assert (named(decide(position(watched), losing, disabled, NOW)) == ("close", "stop_loss_total_pnl")) is fires
    assert decide(position(watched), losing, exit_rules(), NOW).reason != "stop_loss_total_pnl"


@pytest.mark.parametrize(("pnl_spread", "fires"), [(0.0099999, False), (0.01, True), (0.0100001, True)])
def test_profit_is_taken_at_its_target(pnl_spread: float, fires: bool) -> None:
    verdict = verdict_of(trade(), at_spread(trade(), pnl_spread))
    assert verdict.takes_profit is fires


def test_entries_do_not_move_the_target() -> None:
    """A wider second entry raises the weighted spread; the distance that must be earned stays that of k = 1."""
    one = trade()
    two = trade(entries=(entry(), entry(2, spread_metric=log(1.05), spread_pct=0.05)), fills=fills_of() * 2)
    for watched in (one, two):
        metric = watched.entry_metric_weighted
        assert metric is not None
        for distance, fires in ((0.0099, False), (0.0101, True)):
            buy_back = Decimal(str(round(101 * exp(metric - distance), 6)))
            assert verdict_of(watched, market(watched, short_buy=str(buy_back))).takes_profit is fires


WIDENED = str(101 * (1 + FIRST_PCT * 1.5) + 0.01)


def test_a_widened_gap_with_fresh_evidence_asks_for_a_scale_in_with_its_figures() -> None:
    watched = trade(newest_event=fresh_event())
    verdict = verdict_of(watched, market(watched, short_buy=WIDENED))
    assert named(verdict) == ("scale_in", "triggered")
    assert verdict.figures["trigger_spread_pct"] == pytest.approx(0.03)
    assert verdict.figures["event_id"] == 11


@pytest.mark.parametrize(("pnl_spread", "reason"), [(-1e-9, "not_triggered"), (0.0, "within_limits")])
def test_only_a_losing_spread_is_considered_for_a_scale_in(pnl_spread: float, reason: str) -> None:
    assert named(verdict_of(trade(), at_spread(trade(), pnl_spread))) == ("hold", reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"entries": tuple(entry(n) for n in (1, 2, 3, 4))}, "max_entries"),
        ({"newest_event": None}, "no_fresh_signal"),
        ({"entries": (entry(notional_usdt=Decimal(160)),)}, "notional_cap"),
        ({"order_in_flight": True}, "entry_in_flight"),
    ],
)
def test_a_refused_scale_in_is_held_for_the_named_reason(changes: dict[str, Any], reason: str) -> None:
    watched = trade(**{"newest_event": fresh_event(), **changes})
    assert named(verdict_of(watched, market(watched, short_buy=WIDENED))) == ("hold", reason)


def test_a_second_scale_in_waits_for_the_interval() -> None:
    entries = (entry(), entry(2, filled_at=NOW - timedelta(minutes=29)))
    watched = trade(entries=entries, newest_event=fresh_event())
    verdict = verdict_of(watched, market(watched, short_buy="110"))
    assert named(verdict) == ("hold", "cooldown")
    assert "over_at" in verdict.figures


def test_nothing_is_added_while_trading_is_halted() -> None:
    watched = trade(newest_event=fresh_event())
    assert named(verdict_of(watched, market(watched, short_buy=WIDENED), may_open=False)) == ("hold", "trading_halted")


@pytest.mark.parametrize(
    ("changes", "per_hour", "reason"),
    [({"force_close_at": NOW}, 0.0, "max_hold_days"), ({}, -0.01, "stop_loss_funding_rate")],
)
def test_without_a_book_time_and_funding_still_close(changes: dict[str, Any], per_hour: float, reason: str) -> None:
    watched = trade(**changes)
    assert named(verdict_of(watched, no_market(watched, funding=funding(per_hour)))) == ("close", reason)


def test_without_a_book_the_verdict_says_why() -> None:
    watched = trade()
    assert named(verdict_of(watched, no_market(watched))) == ("no_book", "venue_unreachable")


CONDITIONS = ("closing", "unhedged", "max_hold", "funding", "no_book", "loss", "profit", "widened")
EXPECTED = {
    "closing": ("close_again", "operator"),
    "unhedged": ("close", "unhedged"),
    "max_hold": ("close", "max_hold_days"),
    "funding": ("close", "stop_loss_funding_rate"),
    "no_book": ("no_book", "venue_unreachable"),
    "loss": ("close", "stop_loss_total_pnl"),
    "profit": ("close", "take_profit"),
    "widened": ("scale_in", "triggered"),
}


def make(given: Mapping[str, bool]) -> tuple[Position, Market]:
    watched = trade(
        status="closing" if given["closing"] else "open",
        close_reason="operator" if given["closing"] else None,
        force_close_at=NOW if given["max_hold"] else NOW + timedelta(days=1),
        newest_event=fresh_event(),
    )
    rates = funding(-0.01) if given["funding"] else flat_terms()
    if given["no_book"]:
        seen = no_market(watched, funding=rates)
    else:
        seen = market(watched, short_buy=WIDENED if given["widened"] else "102.5", funding=rates)
        assert seen.valuation is not None
        changed = replace(seen.valuation, total_pnl_pct=-0.05 if given["loss"] else 0.0)
        if given["profit"]:
            changed = replace(changed, pnl_spread=0.02)
        seen = replace(seen, valuation=changed)
    return position(watched, suspicion=suspicion(100) if given["unhedged"] else None), seen


@pytest.mark.parametrize("flags", list(product([False, True], repeat=len(CONDITIONS))))
def test_the_first_rule_that_fires_wins(flags: tuple[bool, ...]) -> None:
    """Scale-in is disabled exactly where the total loss is to count, so "widened" cannot be asked for there."""
    given = dict(zip(CONDITIONS, flags, strict=True))
    rules = exit_rules(scale_in=scale_in_rules(enabled=not given["loss"]))
    where, seen = make(given)
    firing = [name for name in CONDITIONS if given[name] and not (given["no_book"] and name in ("loss", "profit"))]
    expected = EXPECTED[firing[0]] if firing else ("hold", "within_limits")
    assert named(decide(where, seen, rules, NOW)) == expected


def test_the_explanation_names_what_would_happen_next() -> None:
    watched = trade(newest_event=fresh_event())
    evidence = explain(position(watched), market(watched), exit_rules(), NOW)
    assert evidence["next_trigger_spread_pct"] == pytest.approx(0.03)
    assert evidence["tp_exit_spread_pct"] == pytest.approx(exp(log(1.02) - 0.01) - 1)
    assert evidence["seconds_to_force_close"] == timedelta(days=7, hours=-1).total_seconds()
    assert evidence["legs"]["long"]["exit_price"] == "101"
    assert (evidence["legs"]["short"]["levels"], evidence["legs"]["short"]["worst_price"]) == (1, "102.5")
    assert evidence["legs"]["short"]["funding"]["interval_hours"] == 8
