"""Books by polling: each wanted book is asked for on its own, so that a slow venue holds up no other.

The seam for streams is the port: whatever pushes books calls the same subscribers.
"""

import asyncio
from collections.abc import Callable

import structlog

from common.domain.order_book import OrderBook
from common.runtime.clock import Clock
from common.venues.errors import VenueError
from position_monitor.application.ports import BookKey, BookReading, Venues
from position_monitor.domain.market import BOOK_MISSING

log = structlog.get_logger(__name__)

Changed = Callable[[], None]
_NOTHING = BookReading(None, BOOK_MISSING)


class PollingBooks:
    """Keeps every subscribed book current by asking for it every `poll_seconds` real seconds."""

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
        if key in self._subscribers:
            self._keep(key, reading)
        return reading

    async def run(self) -> None:
        """Polls what is subscribed, for ever."""
        pollers: dict[BookKey, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._subscriptions_changed.clear()
                for key in sorted(self._subscribers.keys() - pollers.keys()):
                    pollers[key] = group.create_task(self._poll(key))
                for key in sorted(pollers.keys() - self._subscribers.keys()):
                    pollers.pop(key).cancel()
                await self._subscriptions_changed.wait()

    async def _poll(self, key: BookKey) -> None:
        while True:
            started = self._clock.monotonic()
            await self.read(key)
            await asyncio.sleep(max(0.0, self._poll_seconds - (self._clock.monotonic() - started)))

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
        before = self.latest(key)
        # A failed reading keeps the last book, which then grows old until it is no book.
        self._latest[key] = reading if reading.book is not None else BookReading(before.book, reading.failure)
        if _differs(before.book, reading.book) or before.failure != reading.failure:
            for changed in list(self._subscribers[key]):
                changed()


def _differs(before: OrderBook | None, now: OrderBook | None) -> bool:
    if before is None or now is None:
        return now is not None
    return before.bids != now.bids or before.asks != now.asks
