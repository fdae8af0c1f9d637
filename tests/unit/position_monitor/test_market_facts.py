"""Funding terms and lots: refreshed in time, remembered while they are current, and an interval change is noticed."""

import pytest

from common.domain.identifiers import Leg
from position_monitor.application.market_facts import (
    FORGOTTEN_AFTER,
    FORGOTTEN_AFTER_REAL_SECONDS,
    MarketFacts,
)
from support.monitor_fakes import KeptDecisions, SetMarketData, SetVenues
from support.replica import SetLeadership
from support.standing_clock import StandingClock
from support.watched_trades import LOT, NOW, terms, trade


class Facts:
    def __init__(self) -> None:
        self.clock, self.decisions = StandingClock(NOW), KeptDecisions()
        self.binance = SetMarketData("binance", {"SOL": terms("binance", 0.0001, 8)})
        self.bybit = SetMarketData("bybit", {"SOL": terms("bybit", 0.0002, 4)})
        self.leadership = SetLeadership()
        venues = SetVenues(self.binance, self.bybit)
        self.facts = MarketFacts(venues, self.decisions, self.leadership, self.clock)
        self.facts.want([trade()])

    async def refresh(self) -> None:
        for venue in ("binance", "bybit"):
            await self.facts.refresh(venue)


async def test_terms_and_lots_of_both_legs_are_known_after_a_refresh() -> None:
    known = Facts()
    await known.refresh()
    assert {leg: found.interval_hours for leg, found in known.facts.terms(trade()).items()} == {
        Leg.LONG: 8,
        Leg.SHORT: 4,
    }
    assert known.facts.lots(trade()) == {Leg.LONG: LOT, Leg.SHORT: LOT}


async def test_a_venue_that_fails_leaves_its_leg_unknown_and_the_other_known() -> None:
    known = Facts()
    known.binance.fail()
    await known.refresh()
    assert list(known.facts.terms(trade())) == [Leg.SHORT]


async def test_a_failure_keeps_what_was_known() -> None:
    known = Facts()
    await known.refresh()
    known.binance.fail()
    await known.refresh()
    assert len(known.facts.terms(trade())) == 2


async def test_an_interval_that_changes_is_audited_with_both_figures() -> None:
    known = Facts()
    await known.refresh()
    known.binance.terms["SOL"] = terms("binance", -0.02, 1)
    await known.refresh()
    await known.refresh()
    ((decision, evidence),) = known.decisions.notices
    assert decision == "funding_interval_changed"
    assert (evidence["venue"], evidence["interval_hours_before"], evidence["interval_hours"]) == ("binance", 8, 1)


async def test_new_terms_have_their_trade_judged_and_the_same_ones_do_not() -> None:
    known = Facts()
    judged: list[int] = []
    known.facts.subscribe(judged.append)
    await known.refresh()
    await known.refresh()
    assert judged == [7, 7]
    known.bybit.terms["SOL"] = terms("bybit", -0.02, 4)
    await known.refresh()
    assert judged == [7, 7, 7]


async def test_a_rate_that_changes_is_no_notice() -> None:
    known = Facts()
    await known.refresh()
    known.binance.terms["SOL"] = terms("binance", -0.02, 8)
    await known.refresh()
    assert known.decisions.notices == []
    assert known.facts.terms(trade())[Leg.LONG].rate == -0.02


@pytest.mark.parametrize(
    ("market_seconds", "real_seconds", "remembered"),
    [
        (FORGOTTEN_AFTER.total_seconds() + 1, FORGOTTEN_AFTER_REAL_SECONDS + 1, False),
        (FORGOTTEN_AFTER.total_seconds(), FORGOTTEN_AFTER_REAL_SECONDS + 1, True),
        (FORGOTTEN_AFTER.total_seconds() + 1, FORGOTTEN_AFTER_REAL_SECONDS, True),
    ],
)
async def test_terms_that_grew_old_on_both_clocks_are_unknown_again(
    market_seconds: float, real_seconds: float, remembered: bool
) -> None:
    known = Facts()
    await known.refresh()
    known.clock.real_seconds += real_seconds
    await known.clock.sleep(market_seconds)
    assert (len(known.facts.terms(trade())) == 2) is remembered


@pytest.mark.parametrize(
    ("market_seconds", "real_seconds", "due"),
    [(59, 4.9, False), (60, 0.5, True), (60, 0.4, False), (0, 5.0, True)],
)
async def test_terms_are_due_after_a_minute_of_the_market_or_a_few_real_seconds(
    market_seconds: float, real_seconds: float, due: bool
) -> None:
    known = Facts()
    await known.refresh()
    known.clock.real_seconds += real_seconds
    await known.clock.sleep(market_seconds)
    assert known.facts.is_due("binance") is due


async def test_of_several_replicas_only_the_leading_one_audits_what_all_notice() -> None:
    known = Facts()
    known.leadership.is_ours = False
    await known.refresh()
    known.binance.terms["SOL"] = terms("binance", -0.02, 1)
    await known.refresh()
    assert known.decisions.notices == []
    assert known.facts.terms(trade())[Leg.LONG].interval_hours == 1
