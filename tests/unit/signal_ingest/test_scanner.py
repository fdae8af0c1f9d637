"""The scanner over fake venues: what is recorded, how often a venue is asked, and how a failing one is left out."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import pytest

from common.venues.errors import VenueBanned, VenueUnreachable
from signal_ingest.application.ingest import Ingest
from signal_ingest.application.listings import Listings
from signal_ingest.application.predictions import Predictor, TakerFees
from signal_ingest.application.scanner import Scanner
from signal_ingest.application.venue_feed import BAN_SECONDS_UNSAID, VenueFeed
from signal_ingest.domain.observation import ObservationType
from signal_ingest.domain.prediction.history import PairHistory, PairName
from signal_ingest.domain.prediction.linear import LinearModel
from signal_ingest.domain.trigger import judge
from support.ingest_fakes import FakeVenue, RecordingStore
from support.observed_pairs import MERGING, MOMENT, RULES, observation
from support.replica import SetLeadership
from support.standing_clock import StandingClock


class NoPast:
    """No history is read by the linear model."""

    async def load(self, names: Collection[PairName], since: datetime) -> list[PairHistory]:
        raise AssertionError(f"history of {names} since {since}")


class Market:
    """Three venues: SOL on all, ETH on two, PIPPIN on one."""

    def __init__(self, *only_symbols: str, predictor: Predictor | None = None) -> None:
        self.clock, self.store = StandingClock(MOMENT), RecordingStore()
        self.leadership = SetLeadership()
        self.listings = Listings({"binance", "bybit", "okx"})
        self.binance = FakeVenue("binance", {"SOL": ("199", "200"), "ETH": ("4000", "4001")})
        self.bybit = FakeVenue("bybit", {"SOL": ("204", "205"), "ETH": ("4000", "4001"), "PIPPIN": ("1", "2")})
        self.okx = FakeVenue("okx", {"SOL": ("201", "202")})
        self.venues = (self.binance, self.bybit, self.okx)
        predictor = predictor or Predictor(NoPast(), TakerFees({}, 0.0005), 240, LinearModel(0, {"spread": 1}, 0.01))
        ingest = Ingest(self.store, predictor, self.clock, RULES, MERGING)
        feeds = [VenueFeed(venue, self.clock, timedelta(seconds=60)) for venue in self.venues]
        self.scanner = Scanner(feeds, ingest, self.listings, self.clock, self.leadership, only_symbols)

    async def scan(self) -> int:
        """One of each round, a second later."""
        self.clock.pass_(1)
        await self.scanner.learn_listings()
        await self.scanner.refresh_funding()
        return await self.scanner.scan()

    def pairs(self) -> list[str]:
        return sorted(
            f"{one.symbol} {one.long.venue}>{one.short.venue}"
            for one in (judged.observation for judged in self.store.recorded)
        )


async def test_every_pair_of_a_symbol_on_two_venues_is_recorded_triggered_or_not() -> None:
    market = Market()
    assert await market.scan() == 4
    assert market.pairs() == ["ETH binance>bybit", "SOL binance>bybit", "SOL binance>okx", "SOL okx>bybit"]
    assert sorted(judged.triggered for judged in market.store.recorded) == [False, False, False, True]


async def test_only_the_chosen_symbols_are_looked_at() -> None:
    market = Market("ETH")
    await market.scan()
    assert market.pairs() == ["ETH binance>bybit"]


async def test_a_round_asks_each_venue_once_for_all_prices() -> None:
    market = Market()
    await market.scan()
    await market.scan()
    asked = [what for what in market.binance.reads if what != "instruments"]  # the venue's adapter keeps those
    assert asked == ["funding", "tops", "tops"]


async def test_a_symbol_that_a_venue_lists_later_is_looked_at_from_then_on() -> None:
    market = Market("PIPPIN")
    assert await market.scan() == 0
    market.binance.prices["PIPPIN"] = ("1.1", "1.2")
    market.binance.rates["PIPPIN"] = 0.0001
    await market.scan()
    assert market.pairs() == ["PIPPIN binance>bybit"]


async def test_what_may_not_be_opened_is_not_looked_at() -> None:
    market = Market()
    market.binance.halted.add("SOL")
    await market.scan()
    assert market.pairs() == ["ETH binance>bybit", "SOL okx>bybit"]


async def test_funding_is_read_again_when_its_time_has_passed() -> None:
    market = Market()
    await market.scan()
    market.clock.pass_(58.9)
    await market.scan()
    assert market.binance.reads.count("funding") == 1
    await market.scan()
    assert market.binance.reads.count("funding") == 2


async def test_a_venue_that_fails_is_left_out_and_the_others_go_on() -> None:
    market = Market()
    await market.scan()
    market.store.batches.clear()
    market.okx.failure = VenueUnreachable("okx", "timed out")
    await market.scan()
    assert market.pairs() == ["ETH binance>bybit", "SOL binance>bybit"]
    market.okx.failure = None
    market.clock.pass_(10)
    assert await market.scan() == 4


async def test_a_venue_that_is_away_at_the_start_joins_when_it_answers() -> None:
    market = Market()
    market.okx.failure = VenueUnreachable("okx", "refused")
    assert await market.scan() == 2
    market.okx.failure = None
    market.clock.pass_(10)
    assert await market.scan() == 4


@pytest.mark.parametrize(("until_seconds", "rest_seconds"), [(None, BAN_SECONDS_UNSAID), (302.0, 300.0)])
async def test_a_banned_venue_is_left_alone_until_the_ban_is_over(
    until_seconds: float | None, rest_seconds: float
) -> None:
    """The second round is at real second 2."""
    market = Market()
    await market.scan()
    market.okx.failure = VenueBanned("okx", "too many requests", until_seconds=until_seconds)
    await market.scan()
    asked = len(market.okx.reads)
    market.clock.pass_(rest_seconds - 2)
    await market.scan()
    assert market.okx.reads[asked:] == []
    market.clock.pass_(1)
    await market.scan()
    assert market.okx.reads[asked:] != []


async def test_funding_that_was_not_renewed_for_three_refreshes_is_unknown() -> None:
    market = Market("SOL")
    await market.scan()
    for venue in market.venues:
        assert all(j.observation.long.funding_rate == 0.0001 for j in market.store.recorded), venue.venue
    market.store.batches.clear()
    market.clock.pass_(180)
    await market.scanner.scan()
    assert {judged.observation.long.funding_rate for judged in market.store.recorded} == {0.0001}
    market.store.batches.clear()
    market.clock.pass_(0.1)
    await market.scanner.scan()
    assert {judged.observation.long.funding_rate for judged in market.store.recorded} == {None}


async def test_a_market_time_that_stands_still_is_looked_at_once() -> None:
    market = Market()
    await market.scan()
    assert await market.scanner.scan() == 0


@pytest.mark.parametrize(
    ("symbol", "type_", "refused"),
    [("SOL", "B", False), ("PIPPIN", "B", True), ("PIPPIN", "C", False), ("SOLL", "C", True), ("SOLL", "A", True)],
)
async def test_what_was_learnt_refuses_unlisted_symbols(symbol: str, type_: ObservationType, refused: bool) -> None:
    market = Market()
    await market.scan()
    objections = market.listings.objections(observation(symbol=symbol, type_=type_), market.clock.now())
    assert [objection.field for objection in objections] == (["symbol"] if refused else [])


async def test_an_unlisted_symbol_is_answered_with_the_close_ones() -> None:
    market = Market()
    await market.scan()
    (objection,) = market.listings.objections(observation(symbol="PIPIN"), market.clock.now())
    assert "binance and bybit" in objection.allowed
    assert "PIPPIN" in objection.allowed


def test_a_venue_whose_instruments_are_unknown_refuses_no_symbol() -> None:
    assert Listings({"binance", "bybit"}).objections(observation(symbol="ANYTHING"), observation().observed_at) == []


class CountedPast:
    """A past without observations, and how often it was read."""

    def __init__(self) -> None:
        self.reads = 0

    async def load(self, names: Collection[PairName], since: datetime) -> list[PairHistory]:
        self.reads += 1
        return [PairHistory(name) for name in names]


async def test_of_several_replicas_only_the_leading_one_scans_and_the_others_are_ready_to() -> None:
    market = Market()
    market.leadership.is_ours = False
    assert await market.scan() == 0
    assert market.pairs() == []
    assert "tops" not in market.binance.reads
    market.leadership.is_ours = True
    market.clock.pass_(1)
    assert await market.scanner.scan() == 4
    assert all(judged.observation.long.funding_rate is not None for judged in market.store.recorded)


async def test_who_begins_to_lead_reads_the_histories_anew_for_others_have_scanned_meanwhile() -> None:
    past = CountedPast()
    market = Market(predictor=Predictor(past, TakerFees({}, 0.0005), 240, None))
    reads = []
    for leads in (True, True, False, True, True):
        market.leadership.is_ours = leads
        await market.scan()
        reads.append(past.reads)
    assert reads == [1, 1, 1, 2, 2]


class BusyPast:
    """A past that `meanwhile` happens in, the next time that it is read."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] | None = None
        self.read: list[str] = []

    async def load(self, names: Collection[PairName], since: datetime) -> list[PairHistory]:
        self.read += sorted(name.symbol for name in names)
        if self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
        return [PairHistory(name) for name in names]


async def test_a_history_that_is_forgotten_while_another_one_is_read_is_read_too() -> None:
    """Another batch could not be stored, so that its pairs are read anew."""
    past = BusyPast()
    predictor = Predictor(past, TakerFees({}, 0.0005), 240, None)
    first, second = (judge(observation(symbol=name), observation().observed_at, RULES) for name in ("SOL", "ETH"))
    await predictor.predict([first], first.observation.observed_at, merged=True)
    past.meanwhile = predictor.forget_all
    await predictor.predict([first, second], first.observation.observed_at, merged=True)
    assert past.read == ["SOL", "ETH", "SOL"]
