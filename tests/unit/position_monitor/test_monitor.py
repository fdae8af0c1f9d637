"""One watch a trade, fed from the ledger: started, kept while the ledger is away, ended when the trade is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest_asyncio

from position_monitor.application.market_facts import MarketFacts
from position_monitor.application.monitor import Monitor
from position_monitor.application.watch import Tools, WatchRules
from support.monitor_fakes import KeptDecisions, NoMeasurements, SetBooks, SetLedger, SetVenues
from support.replica import SetLeadership
from support.standing_clock import StandingClock
from support.watched_trades import NOW, books_at, exit_rules, fresh_event, trade

RULES = WatchRules(
    exits=exit_rules(),
    confirm_samples=1,
    confirm_sleep_seconds=0.0,
    book_age_seconds_max=2.0,
    sample_every=timedelta(seconds=60),
    close_again_after=timedelta(seconds=120),
)


class SleepingClock(StandingClock):
    """Its sleep does not end: no trade is valued because it is time to."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


class House:
    """A monitor over fakes. The clock's sleep takes no time, so trades are valued over and over."""

    def __init__(self, clock: StandingClock | None = None) -> None:
        self.ledger, self.books, self.decisions = SetLedger(trade()), SetBooks(), KeptDecisions()
        self.books.set(books_at("101", "102.5"))
        clock = clock or StandingClock(NOW)
        self.leadership = SetLeadership()
        facts = MarketFacts(SetVenues(), self.decisions, self.leadership, clock)
        tools = Tools(self.books, facts, self.decisions, NoMeasurements(), self.leadership, clock)
        self.monitor = Monitor(self.ledger, RULES, tools, opening_enabled=True)

    @property
    def watched(self) -> list[int]:
        return [found.trade.signal_id for watch in self.monitor.watches() if (found := watch.latest)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.monitor.heard()
                await asyncio.sleep(0.005)


@pytest_asyncio.fixture(loop_scope="session")
async def house() -> AsyncIterator[House]:
    built = House()
    running = asyncio.create_task(built.monitor.run())
    await built.until(lambda: built.watched == [7])
    yield built
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_trade_that_appears_is_watched_and_one_that_is_gone_is_not(house: House) -> None:
    house.ledger.trades = [trade(), trade(signal_id=8, symbol="SOL")]
    await house.until(lambda: house.watched == [7, 8])
    house.ledger.trades = [trade(signal_id=8)]
    await house.until(lambda: house.watched == [8])


async def test_while_the_ledger_is_away_what_is_known_is_still_watched(house: House) -> None:
    house.ledger.away = True
    house.books.set(books_at("101", "103.5"))
    await house.until(lambda: house.decisions.verdicts[-1] == ("hold", "not_triggered"))
    assert house.watched == [7]


async def test_halted_trading_asks_for_no_scale_in(house: House) -> None:
    house.ledger.trading_active = False
    house.ledger.trades = [replace(trade(), newest_event=fresh_event())]
    house.books.set(books_at("101", "104.5"))
    await house.until(lambda: house.decisions.verdicts[-1] == ("hold", "trading_halted"))
    assert house.decisions.requests == []


async def test_a_store_that_comes_back_gets_the_verdict_it_missed(house: House) -> None:
    house.decisions.away = True
    house.ledger.trades = [trade(force_close_at=trade().opened_at)]
    await asyncio.sleep(0)
    house.decisions.away = False
    await house.until(lambda: bool(house.decisions.requests))
    assert house.decisions.requests[0].message_id == "close-7-max_hold_days-1"


async def test_who_begins_to_lead_judges_every_trade_at_once_though_nothing_changed() -> None:
    built = House(SleepingClock(NOW))
    built.leadership.is_ours = False
    running = asyncio.create_task(built.monitor.run())
    await built.until(lambda: built.watched == [7])
    assert built.decisions.samples == []
    built.leadership.is_ours = True
    await built.until(lambda: len(built.decisions.samples) == 1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
