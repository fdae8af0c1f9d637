"""What operators see of the watches: how fast they react, and where the watched trades stand."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from position_monitor.adapters.prometheus import PrometheusMeasurements, show_standing
from position_monitor.application.market_facts import MarketFacts
from position_monitor.application.ports import BookKey
from position_monitor.application.watch import Judgement, Tools, TradeWatch, WatchRules
from support.monitor_fakes import KeptDecisions, SetBooks, SetMarketData, SetVenues
from support.replica import SetLeadership
from support.standing_clock import StandingClock
from support.watched_trades import NOW, books_at, exit_rules, terms, trade

RULES = WatchRules(
    exits=exit_rules(),
    confirm_samples=1,
    confirm_sleep_seconds=0.0,
    book_age_seconds_max=2.0,
    sample_every=timedelta(seconds=60),
    close_again_after=timedelta(seconds=120),
)
REACTIONS = "tandem_exit_decision_seconds"


class ToldBooks(SetBooks):
    """Books that tell who subscribed."""

    def __init__(self) -> None:
        super().__init__()
        self.subscribers: list[Callable[[], None]] = []

    def subscribe(self, key: BookKey, changed: Callable[[], None]) -> Callable[[], None]:
        self.subscribers.append(changed)
        return lambda: None


def shown(name: str) -> float:
    value = REGISTRY.get_sample_value(name)
    assert value is not None
    return value


def watch_over(books: SetBooks, clock: StandingClock) -> TradeWatch:
    venues = SetVenues(
        SetMarketData("binance", {"SOL": terms("binance")}), SetMarketData("bybit", {"SOL": terms("bybit")})
    )
    decisions, leadership = KeptDecisions(), SetLeadership()
    facts = MarketFacts(venues, decisions, leadership, clock)
    tools = Tools(books, facts, decisions, PrometheusMeasurements(), leadership, clock)
    return TradeWatch(trade(), True, RULES, tools)


async def test_the_time_from_a_books_change_to_its_verdict_is_measured_and_no_other_occasion() -> None:
    books, clock = ToldBooks(), StandingClock(NOW)
    books.set(books_at("101", "102.5"))
    watch = watch_over(books, clock)
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    before, seconds = shown(f"{REACTIONS}_count"), shown(f"{REACTIONS}_sum")
    for changed in books.subscribers:
        changed()
    clock.pass_(0.25)
    await asyncio.sleep(0)
    watch.wake()
    for _ in range(3):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert shown(f"{REACTIONS}_count") == before + 1
    assert shown(f"{REACTIONS}_sum") == pytest.approx(seconds + 0.25)


async def test_where_the_watched_trades_stand_is_told_when_somebody_looks() -> None:
    books, clock = SetBooks(), StandingClock(NOW)
    watch = watch_over(books, clock)
    judgements: list[Judgement] = []
    show_standing(lambda: judgements, 0.003)
    assert (shown("tandem_unpriced_trades"), shown("tandem_open_pnl_usdt")) == (0, 0)
    await watch.consider()
    assert watch.latest is not None
    judgements.append(watch.latest)
    assert shown("tandem_unpriced_trades") == 1
    books.set(books_at("101", "102.5"))
    await watch.consider()
    judgements[0] = watch.latest
    valuation = watch.latest.market.valuation
    assert valuation is not None
    assert shown("tandem_unpriced_trades") == 0
    assert shown("tandem_open_pnl_usdt") == float(valuation.total_pnl_usdt) != 0
    costly = {
        leg: replace(terms(venue), rate=rate)
        for (leg, venue), rate in zip(watch.latest.trade.venues.items(), (0.016, 0.0), strict=True)
    }
    judgements[0] = replace(watch.latest, market=replace(watch.latest.market, terms=costly))
    assert shown("tandem_funding_cost_per_hour_max") == pytest.approx(0.002)
    assert shown("tandem_funding_stop_per_hour") == 0.003
