"""Public data of a venue over ccxt. Needs no key and cannot change anything."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from common.domain.funding import FundingTerms
from common.domain.instruments import Instrument
from common.domain.order_book import OrderBook, book_side
from common.runtime.clock import Clock
from common.runtime.metrics import VENUE_CLOCK_OFFSET
from common.runtime.tracing import note, step
from common.venues.addresses import VenueAddress
from common.venues.ccxt.exchanges import make_exchange
from common.venues.ccxt.facts import VenueFacts, facts_of
from common.venues.ccxt.failures import reading
from common.venues.ccxt.funding_terms import FUNDING_READERS, FundingReader
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.markets import Markets, decimal
from common.venues.ports import TopOfBook

BOOK_LEVELS = 50


def connect_market_data(address: VenueAddress, clock: Clock, limits: VenueLimits | None = None) -> "CcxtMarketData":
    """Public data of the venue at `address`; connects with the first request.

    Raises:
        SettingsError: this version does not speak the venue's protocol.
    """
    # A server that stands in has no request limits of its own.
    exchange = make_exchange(address, limits or VenueLimits(clock), paced=address.url is None)
    return market_data_on(address, Markets(address.name, exchange, clock), clock)


def market_data_on(address: VenueAddress, markets: Markets, clock: Clock) -> "CcxtMarketData":
    """Public data over an exchange that is there already."""
    return CcxtMarketData(markets, facts_of(address), FUNDING_READERS[address.protocol], clock)


class CcxtMarketData:
    """`MarketData` over one ccxt exchange; `read_funding` is what differs."""

    def __init__(self, markets: Markets, facts: VenueFacts, read_funding: FundingReader, clock: Clock) -> None:
        self.venue = markets.venue
        self.markets = markets
        self._exchange = markets.exchange
        self._facts = facts
        self._read_funding = read_funding
        self._clock = clock
        self._instruments: dict[str, Instrument] = {}
        self._instruments_of: Mapping[str, Mapping[str, Any]] | None = None

    async def instruments(self) -> Mapping[str, Instrument]:
        with reading(self.venue):
            markets = await self.markets.load()
            if markets is not self._instruments_of:
                self._instruments = {name: self.markets.instrument(name, market) for name, market in markets.items()}
                self._instruments_of = markets
        return self._instruments

    @step("read book")
    async def book(self, symbol: str) -> OrderBook:
        note(venue=self.venue)
        with reading(self.venue):
            market = await self.markets.market(symbol)
            raw = await self._exchange.fetch_order_book(market["symbol"], BOOK_LEVELS)
            received_at_seconds = self._clock.monotonic()
            size = decimal(market["contractSize"])
            bids, asks = (
                book_side((level[0], decimal(level[1]) * size) for level in raw[name]) for name in ("bids", "asks")
            )
            return OrderBook(self.venue, symbol, bids, asks, received_at_seconds, raw.get("nonce"))

    async def tops(self, symbols: Sequence[str]) -> Mapping[str, TopOfBook]:
        with reading(self.venue):
            wanted = await self._listed(symbols)
            if not wanted:
                return {}
            read = getattr(self._exchange, self._facts.best_prices)
            tickers = await read(list(wanted) if len(wanted) == 1 else None)
            return {
                symbol: TopOfBook(symbol, decimal(ticker["bid"]), decimal(ticker["ask"]))
                for unified, symbol in wanted.items()
                if (ticker := tickers.get(unified)) and ticker["bid"] and ticker["ask"]
            }

    async def funding(self, symbols: Sequence[str]) -> Mapping[str, FundingTerms]:
        with reading(self.venue):
            wanted = await self._listed(symbols)
            if not wanted:
                return {}
            rates, intervals = await self._read_funding(self._exchange, list(wanted))
            found = {}
            for unified, symbol in wanted.items():
                rate = rates.get(unified)
                interval_hours = intervals.get(unified, self._facts.unlisted_interval_hours)
                if rate is None or rate["fundingRate"] is None or interval_hours is None:
                    continue
                next_at = _moment(rate["fundingTimestamp"])
                found[symbol] = FundingTerms(self.venue, symbol, float(rate["fundingRate"]), interval_hours, next_at)
            return found

    async def server_time_offset_seconds(self) -> float:
        with reading(self.venue):
            asked = self._clock.unix_seconds()
            server_ms = await self._exchange.fetch_time()
            answered = self._clock.unix_seconds()
            offset_seconds = offset_at_least(float(server_ms) / 1000, asked, answered)
            VENUE_CLOCK_OFFSET.labels(self.venue).set(offset_seconds)
            return offset_seconds

    async def close(self) -> None:
        await self.markets.close()

    async def _listed(self, symbols: Sequence[str]) -> dict[str, str]:
        """Our symbols by ccxt's names, without those that the venue does not list."""
        markets = await self.markets.load()
        return {str(markets[symbol]["symbol"]): symbol for symbol in symbols if symbol in markets}


def offset_at_least(server: float, asked: float, answered: float) -> float:
    """How far the server's clock is surely ahead of ours, below zero behind; zero where the clocks may agree.

    The server said its time at some moment between asking and its answer. A request that waited for its turn, or a
    machine that was busy, would look like a clock that is wrong by half the wait if it were taken for the middle.
    """
    return max(0.0, server - answered) + min(0.0, server - asked)


def _moment(milliseconds: Any) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
