"""Fakes of signal-ingest's ports: venues that answer or fail, signals that are skipped."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.domain.funding import FundingTerms
from common.domain.instruments import Instrument
from common.domain.order_book import OrderBook
from common.venues.errors import VenueError
from common.venues.ports import TopOfBook
from signal_ingest.application.ports import Placement, RetryVerdict, SkippedSignal
from signal_ingest.domain.merging import EventChange
from signal_ingest.domain.trigger import JudgedObservation
from signal_ingest.domain.watchlist_event import WatchlistEvent


class FakeVenue:
    """A `MarketData` with set prices; `failure` is raised by every read while it is set."""

    def __init__(self, venue: str, prices: Mapping[str, tuple[str, str]]) -> None:
        self.venue = venue
        self.prices = dict(prices)
        self.rates: dict[str, float] = dict.fromkeys(prices, 0.0001)
        self.halted: set[str] = set()
        self.failure: VenueError | None = None
        self.reads: list[str] = []

    async def instruments(self) -> Mapping[str, Instrument]:
        self._read("instruments")
        step = Decimal("0.1")
        return {
            symbol: Instrument(
                self.venue,
                symbol,
                step,
                step,
                Decimal(5),
                Decimal("0.01"),
                halted="not traded now" if symbol in self.halted else None,
            )
            for symbol in self.prices
        }

    async def book(self, symbol: str) -> OrderBook:
        raise AssertionError(f"the scanner asked for the book of {symbol}: the best prices are enough")

    async def tops(self, symbols: Sequence[str]) -> Mapping[str, TopOfBook]:
        self._read("tops")
        return {
            symbol: TopOfBook(symbol, Decimal(self.prices[symbol][0]), Decimal(self.prices[symbol][1]))
            for symbol in symbols
        }

    async def funding(self, symbols: Sequence[str]) -> Mapping[str, FundingTerms]:
        self._read("funding")
        return {symbol: FundingTerms(self.venue, symbol, self.rates[symbol], 8, None) for symbol in symbols}

    async def server_time_offset_seconds(self) -> float:
        return 0.0

    async def close(self) -> None:
        self.reads.append("close")

    def _read(self, what: str) -> None:
        self.reads.append(what)
        if self.failure is not None:
            raise self.failure


class RecordingStore:
    """A `WatchlistStore` that keeps what it was given and merges nothing."""

    def __init__(self) -> None:
        self.batches: list[list[JudgedObservation]] = []
        self.unsignalled: list[WatchlistEvent] = []
        self.announced: list[tuple[list[int | None], str]] = []
        self.forgettable = 0
        self.forgotten_before: list[datetime] = []

    @property
    def recorded(self) -> list[JudgedObservation]:
        return [judged for batch in self.batches for judged in batch]

    async def record(self, batch: Sequence[JudgedObservation], *_: Any) -> list[Placement | None]:
        self.batches.append(list(batch))
        return [None] * len(batch)

    async def close_quiet(self, *_: Any) -> list[EventChange]:
        return []

    async def open_without_signal(self) -> list[WatchlistEvent]:
        return list(self.unsignalled)

    async def announce_again(self, events: Sequence[WatchlistEvent], mark: str) -> None:
        self.announced.append(([event.id for event in events], mark))

    async def forget_untriggered(self, before: datetime, limit: int) -> int:
        self.forgotten_before.append(before)
        batch, self.forgettable = min(limit, self.forgettable), max(0, self.forgettable - limit)
        return batch

    async def count_live(self) -> dict[str, int]:
        return {}


class FakeSkippedSignals:
    """`SkippedSignals` as the test sets them; what is published is kept, once an id."""

    def __init__(self) -> None:
        self.skipped: list[SkippedSignal] = []
        self.published: dict[str, RetryVerdict] = {}

    async def due(self, now: datetime) -> list[SkippedSignal]:
        return [signal for signal in self.skipped if signal.next_attempt_at <= now]

    async def publish(self, verdicts: Sequence[RetryVerdict]) -> None:
        for verdict in verdicts:
            self.published.setdefault(verdict.message_id, verdict)
