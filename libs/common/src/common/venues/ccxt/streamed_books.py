"""Market data whose books come from the venue's streams where they are good, and from requests otherwise.

Whoever asks for a book has it streamed from then on, until nobody has asked for a while. What is streamed is given out
only while it is younger than `FRESH_SECONDS`: readers that confirm a price take books some time apart, and must see
another one each time.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from common.domain.funding import FundingTerms
from common.domain.instruments import Instrument
from common.domain.order_book import OrderBook
from common.runtime.clock import Clock
from common.runtime.metrics import BookStreamMeasures
from common.venues.addresses import VenueAddress
from common.venues.ccxt.book_stream import BookStream, Changed
from common.venues.ccxt.market_data import BOOK_LEVELS, CcxtMarketData
from common.venues.ccxt.stream_classes import SUBSCRIBING_AT_ONCE
from common.venues.ccxt.streaming import STREAMS, make_streaming_exchange
from common.venues.ports import MarketData, TopOfBook

log = structlog.get_logger(__name__)

FRESH_SECONDS = 0.5
IDLE_SECONDS = 60.0
LOOK_FOR_IDLE_SECONDS = 5.0


Books = Callable[[CcxtMarketData, VenueAddress], MarketData]
"""A venue's market data with its books as this process reads them; closing it closes what it was made of."""


def books_as_set(clock: Clock, age_seconds_max: float, *, streamed: bool) -> Books:
    """Books over streams where they are wanted, no book of them older than `age_seconds_max`; otherwise by requests."""

    def over(market: CcxtMarketData, address: VenueAddress) -> MarketData:
        if not streamed:
            return market
        return StreamedBooks(market, address, clock, min(age_seconds_max, FRESH_SECONDS))

    return over


class StreamedBooks:
    """`MarketData`, and `FollowsBooks`, over one venue's requests and streams."""

    def __init__(self, market: CcxtMarketData, address: VenueAddress, clock: Clock, age_seconds_max: float) -> None:
        self.venue = market.venue
        self._market = market
        self._markets = market.markets
        self._facts = STREAMS[address.protocol]
        self._exchange = make_streaming_exchange(address, self._markets.exchange)
        self._clock = clock
        self._age_seconds_max = age_seconds_max
        self._measures = BookStreamMeasures(self.venue)
        self._room = asyncio.Semaphore(self._facts.books_max)
        self._subscribing = asyncio.Semaphore(SUBSCRIBING_AT_ONCE)
        self._streams: dict[str, tuple[BookStream, asyncio.Task[None]]] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def book(self, symbol: str) -> OrderBook:
        """See `MarketData.book`."""
        followed = self.followed(symbol)
        if followed is not None:
            return followed
        book = await self._market.book(symbol)
        self._measures.read("request")
        self._used(symbol)  # only what was answered once: a symbol that is not listed cannot be followed
        return book

    def follow(self, symbol: str, changed: Changed) -> Callable[[], None]:
        """See `FollowsBooks.follow`."""
        stream = self._used(symbol)
        stream.followers.append(changed)

        def stop() -> None:
            stream.followers.remove(changed)
            stream.used_at_seconds = self._clock.monotonic()

        return stop

    def followed(self, symbol: str) -> OrderBook | None:
        """See `FollowsBooks.followed`."""
        if symbol not in self._streams:
            return None
        book = self._used(symbol).book()
        if book is None or book.age_seconds(self._clock.monotonic()) > self._age_seconds_max:
            return None
        self._measures.read("stream")
        return book

    async def instruments(self) -> Mapping[str, Instrument]:
        return await self._market.instruments()

    async def tops(self, symbols: Sequence[str]) -> Mapping[str, TopOfBook]:
        return await self._market.tops(symbols)

    async def funding(self, symbols: Sequence[str]) -> Mapping[str, FundingTerms]:
        return await self._market.funding(symbols)

    async def server_time_offset_seconds(self) -> float:
        return await self._market.server_time_offset_seconds()

    async def close(self) -> None:
        tasks = [task for _, task in self._streams.values()] + ([self._sweeper] if self._sweeper else [])
        self._streams.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._exchange.close()
        await self._market.close()

    def _used(self, symbol: str) -> BookStream:
        """The stream of a book that is asked for now."""
        if symbol not in self._streams:
            stream = BookStream(
                symbol,
                self._markets,
                self._exchange,
                self._facts,
                BOOK_LEVELS,
                self._room,
                self._subscribing,
                self._clock,
                self._measures,
            )
            self._streams[symbol] = (stream, asyncio.create_task(stream.run()))
            self._sweeper = self._sweeper or asyncio.create_task(self._drop_idle())
        stream, _ = self._streams[symbol]
        stream.used_at_seconds = self._clock.monotonic()
        return stream

    async def _drop_idle(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_IDLE_SECONDS)
            for symbol, (stream, task) in list(self._streams.items()):
                idle_seconds = self._clock.monotonic() - stream.used_at_seconds
                if not stream.followers and idle_seconds > IDLE_SECONDS:
                    del self._streams[symbol]
                    task.cancel()
                    await asyncio.wait({task})
                    if symbol not in self._streams:
                        await stream.leave()
