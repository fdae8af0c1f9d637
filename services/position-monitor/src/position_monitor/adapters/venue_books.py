"""Books as they change: each wanted book is followed where the venue streams it, and asked for regularly.

What is asked for comes from the stream while that is good. Each book is kept on its own, so that a slow venue holds up
no other.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from common.domain.order_book import OrderBook
from common.runtime.clock import Clock
from common.venues.errors import VenueError
from common.venues.ports import FollowsBooks
from position_monitor.application.ports import BookKey, BookReading, Venues
from position_monitor.domain.market import BOOK_MISSING

log = structlog.get_logger(__name__)

Changed = Callable[[], None]
_NOTHING = BookReading(None, BOOK_MISSING)

ASK_SOONER = 0.25
"""After this share of the time between two requests a lost book is asked for again."""


class VenueBooks:
    """Keeps subscribed books current: takes every change of a stream, and asks every `poll_seconds` real seconds."""

    def __init__(self, venues: Venues, clock: Clock, poll_seconds: float) -> None:
        self._venues = venues
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._latest: dict[BookKey, BookReading] = {}
        self._subscribers: dict[BookKey, list[Changed]] = {}
        self._subscriptions_changed = asyncio.Event()

    def subscribe(self, key: BookKey, changed: Changed) -> Callable[[], None]:
        """See `BookSource.subscribe`."""
        self._subscribers.setdefault(key, []).append(changed)
        self._subscriptions_changed.set()

        def stop() -> None:
            self._subscribers[key].remove(changed)
            if not self._subscribers[key]:
                del self._subscribers[key]
                self._latest.pop(key, None)
            self._subscriptions_changed.set()

        return stop

    def latest(self, key: BookKey) -> BookReading:
        """See `BookSource.latest`."""
        return self._latest.get(key, _NOTHING)

    async def read(self, key: BookKey) -> BookReading:
        """See `BookSource.read`."""
        reading = await self._ask(key)
        self._keep(key, reading)
        return reading

    async def run(self) -> None:
        """Keeps what is subscribed, for ever."""
        keepers: dict[BookKey, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._subscriptions_changed.clear()
                for key in sorted(self._subscribers.keys() - keepers.keys()):
                    keepers[key] = group.create_task(self._keep_current(key))
                for key in sorted(keepers.keys() - self._subscribers.keys()):
                    keepers.pop(key).cancel()
                await self._subscriptions_changed.wait()

    async def _keep_current(self, key: BookKey) -> None:
        market = self._venues.market(key[0])
        if isinstance(market, FollowsBooks):
            await self._follow(key, market)
        while True:
            asked_seconds = self._clock.monotonic()
            await self.read(key)
            await asyncio.sleep(max(0.0, asked_seconds + self._poll_seconds - self._clock.monotonic()))

    async def _follow(self, key: BookKey, market: FollowsBooks) -> None:
        """The same, and every change at once. A book that was lost is asked for sooner than regularly, but not at
        once again and again: a stream that comes and goes must not become a flood of requests."""
        _, symbol = key
        news = asyncio.Event()
        stop = market.follow(symbol, news.set)
        try:
            while True:
                asked_seconds = self._clock.monotonic()
                await self.read(key)
                sooner, later = (asked_seconds + share * self._poll_seconds for share in (ASK_SOONER, 1))
                while self._clock.monotonic() < later:
                    await _set_or_over(news, later - self._clock.monotonic())
                    news.clear()
                    book = market.followed(symbol)
                    if book is not None:
                        self._keep(key, BookReading(book))
                    elif self._clock.monotonic() >= sooner:
                        break
        finally:
            stop()

    async def _ask(self, key: BookKey) -> BookReading:
        venue, symbol = key
        market = self._venues.market(venue)
        if market is None:
            return BookReading(None, "venue_not_configured")
        try:
            return BookReading(await market.book(symbol))
        except VenueError as error:
            log.debug("books.failed", venue=venue, symbol=symbol, error=str(error))
            return BookReading(None, error.reason)

    def _keep(self, key: BookKey, reading: BookReading) -> None:
        """Keeps the reading and tells of it, unless nobody asks for the book any more: a keeper may have one more
        change in hand when the last subscriber leaves, because it is told to end a turn of the loop later."""
        subscribers = self._subscribers.get(key)
        if subscribers is None:
            return
        before = self.latest(key)
        # A failed reading keeps the last book, which then grows old until it is no book.
        self._latest[key] = reading if reading.book is not None else BookReading(before.book, reading.failure)
        if _differs(before.book, reading.book) or before.failure != reading.failure:
            for changed in list(subscribers):
                changed()


async def _set_or_over(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _differs(before: OrderBook | None, now: OrderBook | None) -> bool:
    if before is None or now is None:
        return now is not None
    return before.bids != now.bids or before.asks != now.asks
