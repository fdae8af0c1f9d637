"""The watch over one trade, with everything around it faked: what it confirms, asks for, stores, and when."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.domain.identifiers import Leg
from position_monitor.application.market_facts import MarketFacts
from position_monitor.application.ports import StoreAway
from position_monitor.application.watch import (
    ASK_AGAIN_REAL_SECONDS,
    HOLDING_AGE_REAL_SECONDS_MAX,
    Tools,
    TradeWatch,
    WatchRules,
)
from position_monitor.domain.trade import Asked, Trade, VenueHolding
from support.monitor_fakes import KeptDecisions, NoMeasurements, SetBooks, SetMarketData, SetVenues
from support.replica import SetLeadership
from support.standing_clock import StandingClock
from support.watched_trades import NOW, OPENED_AT, books_at, entry, exit_rules, fresh_event, terms, trade

PROFIT = books_at("102", "102.5")
NO_PROFIT = books_at("101", "102.5")
WIDENED = books_at("101", "104.5")

RULES = WatchRules(
    exits=exit_rules(),
    confirm_samples=3,
    confirm_sleep_seconds=0.0,
    book_age_seconds_max=2.0,
    sample_every=timedelta(seconds=60),
    close_again_after=timedelta(seconds=120),
)


@dataclass
class Scene:
    """One watched trade in a world that stands still."""

    trade: Trade = field(default_factory=trade)
    clock: StandingClock = field(default_factory=lambda: StandingClock(NOW))
    books: SetBooks = field(default_factory=SetBooks)
    decisions: KeptDecisions = field(default_factory=KeptDecisions)
    leadership: SetLeadership = field(default_factory=SetLeadership)

    def __post_init__(self) -> None:
        self.venues = SetVenues(
            SetMarketData("binance", {"SOL": terms("binance")}), SetMarketData("bybit", {"SOL": terms("bybit")})
        )
        self.facts = MarketFacts(self.venues, self.decisions, self.leadership, self.clock)
        self.books.set(NO_PROFIT)
        self.watch = self.new_watch()

    def new_watch(self) -> TradeWatch:
        tools = Tools(self.books, self.facts, self.decisions, NoMeasurements(), self.leadership, self.clock)
        return TradeWatch(self.trade, True, RULES, tools)

    def update(self, **changes: Any) -> None:
        self.trade = replace(self.trade, **changes)
        self.watch.update(self.trade, may_open=True)

    async def know_the_contracts(self) -> None:
        self.facts.want([self.trade])
        for venue in self.trade.venues.values():
            await self.facts.refresh(venue)

    async def consider(self, *, after_seconds: float = 0.0) -> None:
        self.clock.pass_(after_seconds)
        aged = {
            key: replace(reading.book, received_at_seconds=self.clock.monotonic())
            for key, reading in self.books.now.items()
            if reading.book is not None
        }
        self.books.now = {key: replace(self.books.now[key], book=book) for key, book in aged.items()}
        await self.watch.consider()

    @property
    def ids(self) -> list[str]:
        return [request.message_id for request in self.decisions.requests]


async def test_a_confirmed_take_profit_asks_to_close_and_stores_every_sample() -> None:
    scene = Scene()
    scene.books.set(PROFIT)
    scene.books.then(PROFIT, PROFIT, PROFIT)
    await scene.consider()
    assert scene.ids == ["close-7-take_profit-1"]
    assert scene.decisions.decisions == ["close_requested"]
    confirmation = scene.decisions.samples[0].evidence["confirmation"]
    assert [sample["satisfied"] for sample in confirmation["samples"]] == [True, True, True]


@pytest.mark.parametrize("flap_at", [0, 1, 2])
async def test_one_sample_that_does_not_bear_it_out_rejects_the_take_profit(flap_at: int) -> None:
    scene = Scene()
    scene.books.set(PROFIT)
    samples = [PROFIT, PROFIT, PROFIT]
    samples[flap_at] = NO_PROFIT
    scene.books.then(*samples)
    await scene.consider()
    assert scene.ids == []
    assert scene.decisions.verdicts == [("hold", "take_profit_rejected")]
    assert scene.decisions.decisions == ["take_profit_rejected"]
    assert scene.books.reads == flap_at + 1
    taken = scene.decisions.samples[0].evidence["confirmation"]["samples"]
    assert [sample["satisfied"] for sample in taken] == [True] * flap_at + [False]


async def test_a_book_that_cannot_be_read_rejects_the_take_profit() -> None:
    scene = Scene()
    scene.books.set(PROFIT)
    scene.books.then(PROFIT, {Leg.LONG: PROFIT[Leg.LONG]})
    await scene.consider()
    assert scene.decisions.verdicts == [("hold", "take_profit_rejected")]
    assert scene.decisions.samples[0].evidence["rule"]["broken_by"] == "venue_unreachable"


async def test_a_rule_that_outranks_take_profit_wins_during_the_confirmation() -> None:
    scene = Scene(trade=trade(force_close_at=NOW + timedelta(seconds=1)))
    scene.books.set(PROFIT)
    scene.books.then(PROFIT, PROFIT, PROFIT)

    class Hurrying(StandingClock):
        def now(self) -> Any:
            self.time += timedelta(seconds=0.4)
            return self.time

    scene.clock = Hurrying(NOW)
    scene.watch = scene.new_watch()
    await scene.watch.consider()
    assert scene.ids == ["close-7-max_hold_days-1"]


async def test_while_a_close_is_awaited_it_is_neither_confirmed_nor_asked_for_again() -> None:
    scene = Scene()
    scene.books.set(PROFIT)
    scene.books.then(PROFIT, PROFIT, PROFIT)
    await scene.consider()
    await scene.consider(after_seconds=119)
    assert scene.books.reads == 3
    assert scene.ids == ["close-7-take_profit-1"]


async def test_a_close_is_asked_for_again_until_the_trade_is_flat() -> None:
    scene = Scene(trade=trade(force_close_at=NOW))
    await scene.consider()
    await scene.consider(after_seconds=120)
    scene.update(status="closing", close_reason="max_hold_days", close_requested_at=scene.clock.now())
    await scene.consider(after_seconds=119)
    await scene.consider(after_seconds=1)
    assert scene.ids == ["close-7-max_hold_days-1", "close-7-max_hold_days-2", "close-7-again-1"]
    assert scene.decisions.requests[-1].reason == "max_hold_days"


async def test_after_a_restart_the_numbers_go_on() -> None:
    scene = Scene(trade=trade(force_close_at=NOW))
    await scene.consider()
    scene.trade = replace(scene.trade, asked={"close-7-max_hold_days": Asked(1, NOW)})
    scene.watch = scene.new_watch()
    await scene.consider(after_seconds=60)
    assert scene.ids == ["close-7-max_hold_days-1"]
    await scene.consider(after_seconds=60)
    assert scene.ids == ["close-7-max_hold_days-1", "close-7-max_hold_days-2"]


async def test_an_older_ledger_does_not_make_it_forget_what_it_asked() -> None:
    scene = Scene(trade=trade(force_close_at=NOW))
    await scene.consider()
    scene.update(last_order_at=NOW)
    await scene.consider(after_seconds=10)
    assert scene.ids == ["close-7-max_hold_days-1"]


async def test_however_fast_the_markets_clock_the_executor_gets_real_time_to_answer() -> None:
    scene = Scene(trade=trade(force_close_at=NOW))
    await scene.consider()
    scene.clock.time += timedelta(hours=1)
    await scene.consider()
    assert len(scene.ids) == 1
    await scene.consider(after_seconds=ASK_AGAIN_REAL_SECONDS)
    assert len(scene.ids) == 2


async def test_a_triggered_scale_in_is_asked_for_once_and_again_after_a_minute() -> None:
    scene = Scene(trade=trade(newest_event=fresh_event()))
    scene.books.set(WIDENED)
    await scene.consider()
    await scene.consider(after_seconds=59)
    await scene.consider(after_seconds=1)
    assert scene.ids == ["scale-in-7-1-1", "scale-in-7-1-2"]
    assert scene.decisions.decisions == ["scale_in_requested"] * 2


async def test_a_filled_scale_in_is_not_asked_for_again() -> None:
    scene = Scene(trade=trade(newest_event=fresh_event()))
    scene.books.set(WIDENED)
    await scene.consider()
    scene.update(entries=(entry(), entry(2, filled_at=NOW)))
    await scene.consider(after_seconds=120)
    assert scene.ids == ["scale-in-7-1-1"]
    assert scene.decisions.verdicts[-1] == ("hold", "not_triggered")


async def test_a_hold_is_stored_when_it_changes_and_at_least_every_so_often() -> None:
    scene = Scene()
    for seconds in (0, 30, 29, 1, 59):
        await scene.consider(after_seconds=seconds)
    assert [sample.sampled_at for sample in scene.decisions.samples] == [NOW, NOW + timedelta(seconds=60)]
    scene.books.set(books_at("100.5", "103"))
    await scene.consider()
    assert scene.decisions.verdicts[-1] == ("hold", "not_triggered")


async def test_without_a_book_the_maximum_hold_still_closes() -> None:
    scene = Scene(trade=trade(force_close_at=NOW))
    scene.books.now = {}
    await scene.consider()
    assert scene.ids == ["close-7-max_hold_days-1"]
    assert scene.decisions.samples[0].valuation is None


async def test_before_the_first_answer_of_a_venue_there_is_nothing_to_store() -> None:
    scene = Scene()
    scene.books.now = {}
    await scene.consider()
    assert scene.decisions.samples == []


async def test_a_book_that_nobody_renews_grows_stale() -> None:
    scene = Scene()
    await scene.consider()
    scene.clock.pass_(2.5)
    await scene.watch.consider()
    assert scene.decisions.verdicts[-1] == ("no_book", "book_stale")


async def test_what_could_not_be_stored_is_asked_for_at_the_next_occasion() -> None:
    scene = Scene(trade=trade(force_close_at=NOW))
    scene.decisions.away = True
    with pytest.raises(StoreAway):
        await scene.consider()
    scene.decisions.away = False
    await scene.consider()
    assert scene.ids == ["close-7-max_hold_days-1"]


async def test_a_leg_that_is_missing_is_closed_after_the_grace_only() -> None:
    scene = Scene()
    scene.update(fills=scene.trade.fills[:1])
    await scene.consider()
    await scene.consider(after_seconds=89)
    assert scene.ids == []
    await scene.consider(after_seconds=1)
    assert scene.ids == ["close-7-unhedged-1"]


async def test_a_hedge_that_heals_within_the_grace_starts_anew_when_it_breaks_again() -> None:
    scene = Scene()
    whole = scene.trade.fills
    scene.update(fills=whole[:1])
    await scene.consider()
    scene.update(fills=whole)
    await scene.consider(after_seconds=80)
    scene.update(fills=whole[:1])
    await scene.consider(after_seconds=20)
    assert scene.ids == []


def holding(quantity: str, seconds_ago: float, now: datetime) -> dict[Leg, VenueHolding]:
    return {Leg.LONG: VenueHolding(Decimal(quantity), now - timedelta(seconds=seconds_ago))}


async def test_one_wrong_reading_closes_nothing_however_long_no_other_comes() -> None:
    scene = Scene(trade=trade(last_order_at=OPENED_AT))
    await scene.know_the_contracts()
    scene.update(holdings=holding("0", 0, scene.clock.now()))
    for _ in range(40):
        await scene.consider(after_seconds=10)
    assert scene.ids == []


async def test_a_difference_that_readings_repeat_is_closed_after_the_grace() -> None:
    scene = Scene(trade=trade(last_order_at=OPENED_AT))
    await scene.know_the_contracts()
    for _ in range(10):
        scene.update(holdings=holding("0", 1, scene.clock.now()))
        await scene.consider(after_seconds=10)
    assert scene.ids == ["close-7-unhedged-1"]
    assert scene.decisions.samples[-1].evidence["legs"]["long"]["venue_quantity"] == "0"


async def test_a_reading_that_nobody_renews_is_unknown_in_the_end_and_on_a_fast_clock_not_at_once() -> None:
    scene = Scene(trade=trade(last_order_at=OPENED_AT))
    await scene.know_the_contracts()
    scene.update(holdings=holding("0.5", 0, scene.clock.now()))
    scene.clock.time += timedelta(minutes=10)
    await scene.consider()
    assert scene.watch.latest is not None
    assert Leg.LONG in scene.watch.latest.trade.holdings
    await scene.consider(after_seconds=HOLDING_AGE_REAL_SECONDS_MAX + 1)
    assert Leg.LONG not in scene.watch.latest.trade.holdings


async def test_a_target_that_is_rejected_at_every_change_is_recorded_once_a_while() -> None:
    scene = Scene()
    for seconds in (0, 1, 1, 57, 1, 1):
        scene.books.set(PROFIT)
        scene.books.then(NO_PROFIT)
        await scene.consider(after_seconds=seconds)
        scene.books.set(NO_PROFIT)
        await scene.consider()
    assert scene.decisions.decisions == ["take_profit_rejected"] * 2
    assert scene.decisions.verdicts.count(("hold", "take_profit_rejected")) == 2


async def test_the_evidence_holds_the_funding_terms_with_their_intervals() -> None:
    scene = Scene()
    await scene.know_the_contracts()
    await scene.consider()
    legs = scene.decisions.samples[0].evidence["legs"]
    assert [legs[leg]["funding"]["interval_hours"] for leg in ("long", "short")] == [8.0, 8.0]
    assert scene.decisions.samples[0].funding_per_hour == 0.0


async def test_a_replica_that_does_not_lead_judges_along_and_records_nothing_until_it_does() -> None:
    scene = Scene(leadership=SetLeadership(is_ours=False))
    scene.books.set(PROFIT)
    scene.books.then(PROFIT, PROFIT, PROFIT)
    await scene.consider()
    assert scene.watch.latest is not None
    assert scene.watch.latest.verdict.takes_profit
    assert (scene.books.reads, scene.decisions.samples, scene.ids) == (0, [], [])
    scene.leadership.is_ours = True
    await scene.consider()
    assert scene.ids == ["close-7-take_profit-1"]
