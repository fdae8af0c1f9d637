"""Books of venues: changes are told, failures age the last book, nobody is asked for whom nobody asks, and what a
venue streams is taken at once."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from common.domain.order_book import OrderBook
from common.runtime.clock import SystemClock
from position_monitor.adapters.venue_books import VenueBooks
from support.monitor_fakes import SetMarketData, SetVenues
from support.standing_clock import StandingClock
from support.watched_trades import NOW, book

KEY = ("binance", "SOL")


class Polled:
    def __init__(self) -> None:
        self.market = SetMarketData("binance")
        self.market.books["SOL"] = book("binance", "100", "101")
        self.books = VenueBooks(SetVenues(self.market), StandingClock(NOW), 0.001)
        self.changes = 0

    def count(self) -> None:
        self.changes += 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the poller under test tells nobody that it asked
            await asyncio.sleep(0.001)


async def test_a_change_of_levels_is_told_and_the_same_levels_are_not() -> None:
    polled = Polled()
    polled.books.subscribe(KEY, polled.count)
    await polled.books.read(KEY)
    polled.market.books["SOL"] = book("binance", "100", "101", received_at=1.0)
    await polled.books.read(KEY)
    assert polled.changes == 1
    polled.market.books["SOL"] = book("binance", "100", "102")
    await polled.books.read(KEY)
    assert polled.changes == 2


async def test_the_same_levels_read_again_are_fresh_again() -> None:
    polled = Polled()
    polled.books.subscribe(KEY, polled.count)
    await polled.books.read(KEY)
    polled.market.books["SOL"] = book("binance", "100", "101", received_at=9.0)
    await polled.books.read(KEY)
    latest = polled.books.latest(KEY).book
    assert latest is not None
    assert latest.received_at_seconds == 9.0


async def test_a_failure_keeps_the_last_book_with_its_age_and_tells_why() -> None:
    polled = Polled()
    polled.books.subscribe(KEY, polled.count)
    await polled.books.read(KEY)
    polled.market.fail()
    asked = await polled.books.read(KEY)
    assert (asked.book, asked.failure) == (None, "venue_unreachable")
    latest = polled.books.latest(KEY)
    assert latest.book is not None
    assert latest.failure == "venue_unreachable"
    assert polled.changes == 2


async def test_a_venue_that_no_setting_names_has_no_book() -> None:
    assert (await Polled().books.read(("okx", "SOL"))).failure == "venue_not_configured"


async def test_what_is_subscribed_is_polled_until_it_no_longer_is() -> None:
    polled = Polled()
    running = asyncio.create_task(polled.books.run())
    stop = polled.books.subscribe(KEY, polled.count)
    await until(lambda: polled.market.asked >= 3)
    stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked = polled.market.asked
    assert polled.books.latest(KEY).failure == "book_missing"
    await asyncio.sleep(0.02)
    assert polled.market.asked <= asked + 1
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


class FollowedMarketData(SetMarketData):
    """Streams what a test pushes; None is a book that was lost."""

    def __init__(self, venue: str) -> None:
        super().__init__(venue)
        self.changed: list[Callable[[], None]] = []
        self._streamed: OrderBook | None = None

    def push(self, streamed: OrderBook | None) -> None:
        self._streamed = streamed
        for changed in self.changed:
            changed()

    def follow(self, symbol: str, changed: Callable[[], None]) -> Callable[[], None]:
        self.changed.append(changed)
        return lambda: self.changed.remove(changed)

    def followed(self, symbol: str) -> OrderBook | None:
        return self._streamed

    async def book(self, symbol: str) -> OrderBook:
        return self._streamed or await super().book(symbol)


class Followed:
    """Books of a venue that streams, asked for every `poll_seconds`."""

    def __init__(self, poll_seconds: float) -> None:
        self.market = FollowedMarketData("binance")
        self.market.books["SOL"] = book("binance", "100", "101")
        self.books = VenueBooks(SetVenues(self.market), SystemClock(), poll_seconds)
        self.changes = 0
        self.running = asyncio.create_task(self.books.run())
        self.stop = self.books.subscribe(KEY, self.count)

    def count(self) -> None:
        self.changes += 1

    async def first(self) -> None:
        await until(lambda: self.changes == 1)

    async def end(self) -> None:
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running


async def test_a_streamed_change_is_told_without_asking() -> None:
    followed = Followed(poll_seconds=60)
    await followed.first()
    followed.market.push(book("binance", "102", "103"))
    await until(lambda: followed.changes == 2)
    latest = followed.books.latest(KEY).book
    assert latest is not None
    assert latest.bids.best == 102
    assert followed.market.asked == 1
    await followed.end()


async def test_a_lost_stream_is_asked_for_and_not_more_often_than_it_may() -> None:
    poll_seconds = 0.4
    followed = Followed(poll_seconds=poll_seconds)
    began = time.monotonic()
    await followed.first()
    followed.market.push(book("binance", "102", "103"))
    await until(lambda: followed.changes == 2)
    for _ in range(20):
        followed.market.push(None)
        await asyncio.sleep(0.005)
    assert followed.market.asked <= 2 + (time.monotonic() - began) / poll_seconds
    await until(lambda: followed.changes >= 3)
    latest = followed.books.latest(KEY).book
    assert latest is not None
    assert latest.bids.best == 100
    await followed.end()


async def test_what_nobody_asks_for_is_followed_no_longer() -> None:
    followed = Followed(poll_seconds=60)
    await followed.first()
    followed.stop()
    await until(lambda: followed.market.changed == [])
    await followed.end()


async def test_a_change_in_hand_when_the_last_subscriber_leaves_is_dropped() -> None:
    followed = Followed(poll_seconds=60)
    await followed.first()
    followed.market.push(book("binance", "102", "103"))
    followed.stop()
    await until(lambda: followed.market.changed == [])
    assert not followed.running.done()
    assert followed.changes == 1
    assert followed.books.latest(KEY).failure == "book_missing"
    await followed.end()
