"""One book as its venue pushes it, or none: what is not surely the venue's book of just now is not shown.

The book is lost, and at once no book any more, when an update is missing or out of order, when it is crossed, when
its connection ends, and when nothing comes for `SILENCE_SECONDS`. Then it is subscribed anew: at once, and the more
often it is lost the later. Until it is there again, whoever reads it asks the venue instead.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import structlog
from ccxt.base import errors as ccxt_errors

from common.domain.order_book import OrderBook, book_side
from common.runtime.clock import Clock
from common.runtime.metrics import CROSSED, SEQUENCE, SILENCE, BookStreamMeasures
from common.venues.ccxt.markets import Markets, decimal
from common.venues.ccxt.streaming import StreamFacts, hang_up, hearing
from common.venues.errors import VenueError

log = structlog.get_logger(__name__)

SILENCE_SECONDS = 30.0
"""Long, because a quiet market is silent too, and whoever reads it asks the venue meanwhile."""
LEAVE_SECONDS = 5.0
"""How long a venue may take to confirm that a book is followed no longer; after that the connection counts as dead."""
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.25, 60.0
SETTLED_UPDATES = 100
"""After so many updates in a row the next loss is taken for a first one."""

Changed = Callable[[], None]


class BookStream:
    """Follows one symbol's book at one venue while `run` runs. `room` is held while it is followed, `subscribing` until
    its first update."""

    def __init__(
        self,
        symbol: str,
        markets: Markets,
        exchange: Any,
        facts: StreamFacts,
        levels: int,
        room: asyncio.Semaphore,
        subscribing: asyncio.Semaphore,
        clock: Clock,
        measures: BookStreamMeasures,
    ) -> None:
        self.symbol = symbol
        self.followers: list[Changed] = []
        self.used_at_seconds = clock.monotonic()
        self._markets = markets
        self._exchange = exchange
        self._facts = facts
        self._levels = min(levels, facts.checked_levels or levels)
        self._room = room
        self._subscribing = subscribing
        self._clock = clock
        self._measures = measures
        self._live: Any = None
        self._received_at_seconds = 0.0
        self._book: OrderBook | None = None
        self._unified = ""
        self._contract_size = Decimal(1)

    def book(self) -> OrderBook | None:
        """The book as of the last update, or None while there is none."""
        live = self._live
        # A book that ccxt has dropped lacks an update, whether or not that has been heard here.
        if live is None or self._exchange.orderbooks.get(self._unified) is not live:
            return None
        if self._book is None:
            self._book = self._converted(live)
        return None if self._book.is_crossed else self._book

    def _converted(self, live: Any) -> OrderBook:
        bids, asks = (
            book_side((level[0], decimal(level[1]) * self._contract_size) for level in live[name][: self._levels])
            for name in ("bids", "asks")
        )
        return OrderBook(self._markets.venue, self.symbol, bids, asks, self._received_at_seconds, live["nonce"])

    async def run(self) -> None:
        """Follows the book, for ever."""
        pause_seconds = 0.0
        while True:
            async with self._room:
                try:
                    updates, why = await self._follow()
                finally:
                    self._drop()
                self._measures.lost(why)
                log.info("book_stream.lost", venue=self._markets.venue, symbol=self.symbol, why=why, updates=updates)
                await self.leave()
            if updates >= SETTLED_UPDATES:
                pause_seconds = 0.0
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(max(2 * pause_seconds, PAUSE_SECONDS_MIN), PAUSE_SECONDS_MAX)

    async def leave(self) -> None:
        """Tells the venue, as far as it can be reached, that the book is followed no longer."""
        is_followed = bool(self._unified) and not all(client.closed() for client in self._exchange.clients.values())
        try:
            with hearing(self._markets.venue):
                async with asyncio.timeout(LEAVE_SECONDS):
                    if is_followed:
                        await self._exchange.un_watch_order_book(self._unified, dict(self._facts.leaving))
        except TimeoutError:
            await hang_up(self._exchange)
        except VenueError as error:
            log.debug("book_stream.not_left", venue=self._markets.venue, symbol=self.symbol, error=str(error))
        self._unified = ""

    async def _follow(self) -> tuple[int, str]:
        """Takes updates until the book is lost: how many, and why."""
        updates = 0
        try:
            with hearing(self._markets.venue):
                self._exchange.gate.bans.check()
                market = await self._markets.market(self.symbol)
                self._exchange.set_markets_from_exchange(self._markets.exchange)
                async with self._subscribing:
                    self._exchange.admit_subscription()
                    self._unified, self._contract_size = market["symbol"], decimal(market["contractSize"])
                    live = await self._next()
                while self._take(live):
                    updates += 1
                    live = await self._next()
                return updates, CROSSED
        except TimeoutError:
            return updates, SILENCE
        except VenueError as error:
            return updates, _why(error)

    async def _next(self) -> Any:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await self._exchange.watch_order_book(self._unified, self._facts.levels)

    def _take(self, live: Any) -> bool:
        """Shows an update; not one that makes no book."""
        if live["bids"] and live["asks"] and live["bids"][0][0] >= live["asks"][0][0]:
            return False
        self._live, self._book = live, None
        self._received_at_seconds = self._clock.monotonic()
        self._tell()
        return True

    def _drop(self) -> None:
        self._live = self._book = None
        self._tell()

    def _tell(self) -> None:
        for changed in list(self.followers):
            changed()


def _why(error: VenueError) -> str:
    """ccxt says of a missing update that a number or a sum is wrong."""
    missing = isinstance(error.__cause__, ccxt_errors.InvalidNonce | ccxt_errors.ChecksumError)
    return SEQUENCE if missing else error.reason
