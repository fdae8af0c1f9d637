"""Streamed books over sockets: ccxt.pro against every protocol that streams, and what happens when a stream fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client import REGISTRY

from common.domain.order_book import OrderBook
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt import book_stream, streamed_books
from common.venues.ccxt.exchanges import make_exchange
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.market_data import connect_market_data
from common.venues.ccxt.request_limits import CONNECTIONS, REQUEST_LIMITS, Budget, MessageLimit
from common.venues.ccxt.stream_classes import SUBSCRIBING_AT_ONCE
from common.venues.ccxt.streamed_books import StreamedBooks
from common.venues.ccxt.streaming import STREAMS, make_streaming_exchange
from common.venues.errors import VenueBanned
from support.shared_limits import SharedInMemory
from support.simulated_venues import TRADING_KEYS, RunningVenue, running_venue
from venue_sim.faults import FaultSpec

EVERY = pytest.mark.parametrize("protocol", sorted(STREAMS))
SPAN_SECONDS = 10**10
"""From 1970 on: no test sees a second span, whenever it runs."""
AGE_SECONDS_MAX = 30.0
"""So that a book whose market stands still is not asked for anew."""
DEADLINE_SECONDS = 30.0
LONG_SECONDS = 600.0
"""Of a fault that the test ends, or that outlives it."""


@dataclass
class Streamed:
    """One venue and its market data with streamed books; `requests` counts the books that were asked for."""

    protocol: str
    simulated: RunningVenue
    market: StreamedBooks
    requests: int = 0
    news: int = 0

    async def book(self, mid: str) -> OrderBook:
        """The streamed book around that mid, as soon as it is there."""
        found: OrderBook = await self.until(lambda: self._around(Decimal(mid)))
        return found

    async def sees_the_market(self, mid: str) -> None:
        """The streamed book around that mid is all of the venue's, and nothing else."""
        heard, shown = await self.book(mid), self.simulated.venue.market_book("SOL")
        assert (heard.bids.levels, heard.asks.levels) == (shown.bids, shown.asks)

    def move(self, mid: str) -> None:
        self.simulated.venue.override_mid("SOL", Decimal(mid))

    def fault(self, **spec: Any) -> None:
        self.simulated.venue.faults.arm(FaultSpec.model_validate(spec), self.simulated.venue.moment())

    def no_faults(self) -> None:
        self.simulated.venue.faults.clear()

    def fired(self, kind: str) -> int:
        faults = self.simulated.venue.faults.ever_armed(self.simulated.venue.moment())
        return sum(fault.fired for fault in faults if fault.spec.kind == kind)

    def _around(self, mid: Decimal) -> OrderBook | None:
        book = self.market.followed("SOL")
        if book is None or book.bids.best is None or book.asks.best is None:
            return None
        return book if book.bids.best < mid < book.asks.best and book.asks.best - book.bids.best < 1 else None

    async def until(self, found: Callable[[], Any]) -> Any:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (value := found()):  # noqa: ASYNC110  # a stream tells nobody here
                await asyncio.sleep(0.01)
            return value


@pytest.fixture(params=sorted(STREAMS))
async def streamed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Streamed]:
    monkeypatch.setattr(book_stream, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(book_stream, "PAUSE_SECONDS_MIN", 0.05)
    async with running_venue(request.param) as simulated:
        address = VenueAddress(request.param, request.param, simulated.url)
        asking = connect_market_data(address, SystemClock())
        market = StreamedBooks(asking, address, SystemClock(), AGE_SECONDS_MAX)
        one = Streamed(request.param, simulated, market)
        simulated.venue.book_shown.append(lambda _book: _count(one))
        try:
            yield one
        finally:
            await market.close()


def _count(one: Streamed) -> None:
    one.requests += 1


async def test_a_book_that_was_asked_for_once_is_streamed_from_then_on(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_stream, "SILENCE_SECONDS", DEADLINE_SECONDS)
    asked = await streamed.market.book("SOL")
    heard = await streamed.book("200")
    assert (heard.bids, heard.asks) == (asked.bids, asked.asks)
    requests = streamed.requests
    for mid in ("201", "205", "190.5"):
        streamed.move(mid)
        assert await streamed.book(mid) == await streamed.market.book("SOL")
    assert streamed.requests == requests


async def test_streamed_books_are_those_of_requests_to_the_last_digit(streamed: Streamed) -> None:
    await streamed.market.book("SOL")
    for mid in ("200.01", "212.34", "187.65", "200"):
        streamed.move(mid)
        await streamed.sees_the_market(mid)


async def test_every_change_is_told_and_what_is_left_is_told_no_longer(streamed: Streamed) -> None:
    def count() -> None:
        streamed.news += 1

    stop = streamed.market.follow("SOL", count)
    await streamed.book("200")
    before = streamed.news
    assert before
    streamed.move("201")
    await streamed.until(lambda: streamed.news > before)
    stop()
    told = streamed.news
    streamed.move("202")
    await streamed.book("202")
    assert streamed.news == told


async def test_two_symbols_share_one_connection_and_come_back_after_it(streamed: Streamed) -> None:
    await streamed.market.book("SOL")
    await streamed.market.book("ETH")
    await streamed.until(lambda: streamed.market.followed("SOL") and streamed.market.followed("ETH"))
    assert len(streamed.market._exchange.clients) == 1
    streamed.fault(kind="drop", endpoint="stream")
    await streamed.until(lambda: not streamed.market.followed("SOL") and not streamed.market.followed("ETH"))
    await streamed.until(lambda: streamed.market.followed("SOL") and streamed.market.followed("ETH"))
    assert len(streamed.market._exchange.clients) == 1


async def test_a_missing_update_ends_the_book_until_it_is_subscribed_anew(streamed: Streamed) -> None:
    await streamed.market.book("SOL")
    await streamed.book("200")
    streamed.fault(kind="gap")
    streamed.move("203")
    await streamed.until(lambda: streamed.fired("gap"))
    seen: list[OrderBook] = []
    streamed.market.follow("SOL", lambda: _note(seen, streamed.market.followed("SOL")))
    streamed.move("206")
    await streamed.sees_the_market("206")
    # What lacks the move to 203 was never shown: no level of it, and none of 200, is left beside those of 206.
    assert all(book.asks.best - book.bids.best < 1 for book in seen if book.asks.best and book.bids.best)
    assert all(abs(book.bids.levels[-1][0] - book.asks.levels[-1][0]) < 1 for book in seen)


def _note(seen: list[OrderBook], book: OrderBook | None) -> None:
    if book is not None:
        seen.append(book)


async def test_a_killed_stream_leaves_requests_and_comes_back(streamed: Streamed) -> None:
    await streamed.market.book("SOL")
    await streamed.book("200")
    streamed.fault(kind="drop", endpoint="stream", for_seconds=LONG_SECONDS)
    await streamed.until(lambda: streamed.market.followed("SOL") is None)
    streamed.move("204")
    requests = streamed.requests
    asked = await streamed.market.book("SOL")
    assert asked.bids.best is not None
    assert asked.bids.best > 203
    assert streamed.requests > requests
    streamed.no_faults()
    streamed.move("208")
    await streamed.sees_the_market("208")


async def test_a_silent_stream_is_left_for_requests_and_subscribed_anew(streamed: Streamed) -> None:
    await streamed.market.book("SOL")
    await streamed.book("200")
    streamed.fault(kind="silence", for_seconds=LONG_SECONDS)
    await streamed.until(lambda: streamed.market.followed("SOL") is None)
    streamed.move("204")
    assert (await streamed.market.book("SOL")).bids.best == Decimal("203.97")
    streamed.no_faults()
    await streamed.book("204")


async def test_a_crossed_stream_is_no_book_and_requests_are(streamed: Streamed) -> None:
    await streamed.market.book("SOL")
    await streamed.book("200")
    streamed.fault(kind="crossed_book", endpoint="stream", for_seconds=LONG_SECONDS)
    await streamed.until(lambda: streamed.market.followed("SOL") is None)
    assert not (await streamed.market.book("SOL")).is_crossed
    streamed.no_faults()
    streamed.move("207")
    await streamed.book("207")


async def test_a_stream_that_shows_an_old_book_is_outlived_by_its_age(streamed: Streamed) -> None:
    streamed.market._age_seconds_max = 0.3
    await streamed.market.book("SOL")
    await streamed.book("200")
    streamed.fault(kind="stale_book", endpoint="stream", for_seconds=LONG_SECONDS)
    await streamed.until(lambda: streamed.fired("stale_book"))  # the book of now is the one that is frozen
    streamed.move("204")
    await streamed.until(lambda: streamed.market.followed("SOL") is None)
    assert (await streamed.market.book("SOL")).bids.best == Decimal("203.97")


async def test_what_nobody_reads_is_dropped_and_begins_anew(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed_books, "LOOK_FOR_IDLE_SECONDS", 0.05)
    stop = streamed.market.follow("ETH", lambda: None)
    await streamed.market.book("SOL")
    await streamed.book("200")
    exchange = streamed.market._exchange
    with monkeypatch.context() as soon:
        soon.setattr(streamed_books, "IDLE_SECONDS", 0.2)
        await streamed.until(lambda: {name[:3] for name in exchange.orderbooks} == {"ETH"})
    stop()
    await streamed.market.book("SOL")
    streamed.move("202")
    await streamed.book("202")


async def test_a_ban_of_the_handshake_is_a_ban_of_all_requests(streamed: Streamed) -> None:
    await streamed.market.instruments()
    lost = lost_for(streamed.protocol, "venue_unreachable")
    streamed.fault(kind="ban", for_seconds=LONG_SECONDS, status=429)
    streamed.market.follow("SOL", lambda: None)
    await streamed.until(lambda: streamed.fired("ban"))
    await streamed.until(lambda: lost_for(streamed.protocol, "venue_unreachable") > lost)
    with pytest.raises(VenueBanned, match="not asked"):
        await streamed.market.funding(["SOL"])


@asynccontextmanager
async def limited(protocol: str, *, connections: int, messages: int) -> AsyncIterator[Streamed]:
    """A venue that allows so many connections and so many messages over each, and any number of requests."""
    documented = REQUEST_LIMITS[protocol]
    plenty = {name: Budget(1_000_000, SPAN_SECONDS, SPAN_SECONDS) for name in documented.budgets}
    budgets = plenty | {CONNECTIONS: Budget(2 * connections, SPAN_SECONDS, SPAN_SECONDS, reserve_percent=0)}
    allowed = replace(documented, budgets=budgets, messages=MessageLimit(messages, SPAN_SECONDS))
    limits = VenueLimits(SystemClock(), SharedInMemory(), limited=lambda _: allowed)
    keeper = asyncio.create_task(limits.run())
    async with running_venue(protocol) as simulated:
        address = VenueAddress(protocol, protocol, simulated.url)
        asking = connect_market_data(address, SystemClock(), limits)
        market = StreamedBooks(asking, address, SystemClock(), AGE_SECONDS_MAX)
        one = Streamed(protocol, simulated, market)
        simulated.venue.book_shown.append(lambda _book: _count(one))
        try:
            yield one
        finally:
            await market.close()
            keeper.cancel()
            await asyncio.wait({keeper})


@EVERY
async def test_connections_are_counted_and_without_any_left_requests_stand_in(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_stream, "PAUSE_SECONDS_MIN", 0.05)
    async with limited(protocol, connections=1, messages=1000) as streamed:
        await streamed.market.book("SOL")
        await streamed.market.book("ETH")
        await streamed.until(lambda: streamed.market.followed("SOL") and streamed.market.followed("ETH"))
        streamed.fault(kind="drop", endpoint="stream")
        lost = lost_for(protocol, "venue_unreachable")
        streamed.move("204")
        await streamed.until(lambda: lost_for(protocol, "venue_unreachable") > lost + 2)
        assert streamed.market.followed("SOL") is None
        assert (await streamed.market.book("SOL")).bids.best == Decimal("203.97")


@EVERY
async def test_a_connection_is_sent_no_more_than_it_may_be(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_stream, "PAUSE_SECONDS_MIN", 0.05)
    async with limited(protocol, connections=9, messages=2 * SUBSCRIBING_AT_ONCE) as streamed:
        await streamed.market.book("SOL")
        await streamed.book("200")
        lost = lost_for(protocol, "venue_budget_spent")
        await streamed.market.book("ETH")
        await streamed.until(lambda: lost_for(protocol, "venue_budget_spent") > lost + 2)
        assert streamed.market.followed("ETH") is None
        streamed.move("201")
        await streamed.book("201")


@EVERY
async def test_no_more_books_are_followed_than_fit_and_the_next_one_gets_the_room(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_room_for_one = replace(STREAMS[protocol], books_max=1)
    monkeypatch.setattr(streamed_books, "STREAMS", {protocol: with_room_for_one})
    monkeypatch.setattr(streamed_books, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(streamed_books, "LOOK_FOR_IDLE_SECONDS", 0.05)
    async with limited(protocol, connections=9, messages=1000) as streamed:
        stop = streamed.market.follow("SOL", lambda: None)
        await streamed.until(lambda: streamed.market.followed("SOL"))
        await streamed.market.book("ETH")
        streamed.market.follow("ETH", lambda: None)
        streamed.move("201")
        await streamed.book("201")
        assert streamed.market.followed("ETH") is None
        stop()
        await streamed.until(lambda: streamed.market.followed("ETH"))


def lost_for(venue: str, why: str) -> float:
    return REGISTRY.get_sample_value("tandem_book_streams_lost_total", {"venue": venue, "why": why}) or 0.0


@EVERY
async def test_what_streams_keeps_the_pace_of_its_venue_also_beside_orders_that_have_none(protocol: str) -> None:
    address = VenueAddress(protocol, protocol, None)
    orders = make_exchange(address, VenueLimits(SystemClock()), TRADING_KEYS, paced=False)
    streaming = make_streaming_exchange(address, orders)
    assert streaming.enableRateLimit
    assert not orders.enableRateLimit
    await asyncio.gather(streaming.close(), orders.close())


@EVERY
async def test_what_streams_can_sign_nothing_and_repeats_nothing(protocol: str) -> None:
    address = VenueAddress(protocol, protocol, "http://127.0.0.1:9")
    asking = connect_market_data(address, SystemClock())
    streaming = make_streaming_exchange(address, asking.markets.exchange)
    assert not streaming.check_required_credentials(error=False)
    assert streaming.options["maxRetriesOnFailure"] == 0
    assert streaming.options["watchOrderBook"]["maxRetries"] == 1
    assert streaming.gate is asking.markets.exchange.gate
    await streaming.close()
    await asking.close()
