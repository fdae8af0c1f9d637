"""Fakes of the monitor's ports: books that are set, decisions that are kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from common.domain.funding import FundingTerms
from common.domain.identifiers import Leg
from common.domain.instruments import Instrument
from common.domain.order_book import OrderBook
from common.venues.errors import VenueError, VenueUnreachable
from common.venues.ports import TopOfBook
from position_monitor.application.ports import BookKey, BookReading, LedgerSnapshot, Sample, StoreAway
from position_monitor.domain.requests import Request
from position_monitor.domain.trade import Trade
from support.watched_trades import LOT


class SetBooks:
    """Books as a test sets them; `upcoming` is served, one pair a confirmation sample, to whoever asks the venue."""

    def __init__(self) -> None:
        self.now: dict[BookKey, BookReading] = {}
        self.upcoming: list[dict[BookKey, BookReading]] = []
        self._asked: dict[BookKey, int] = {}

    def set(self, books: Mapping[Leg, OrderBook]) -> None:
        self.now = _readings(books.values())

    def then(self, *samples: Mapping[Leg, OrderBook]) -> None:
        self.upcoming = [_readings(books.values()) for books in samples]
        self._asked = {}

    def subscribe(self, key: BookKey, changed: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def latest(self, key: BookKey) -> BookReading:
        return self.now.get(key, BookReading(None, "book_missing"))

    async def read(self, key: BookKey) -> BookReading:
        turn = self._asked.get(key, 0)
        self._asked[key] = turn + 1
        return self.upcoming[turn].get(key, BookReading(None, "venue_unreachable"))

    @property
    def reads(self) -> int:
        """How many confirmation samples were taken."""
        return max(self._asked.values(), default=0)


def _readings(books: Iterable[OrderBook]) -> dict[BookKey, BookReading]:
    return {(book.venue, book.symbol): BookReading(book) for book in books}


@dataclass
class KeptDecisions:
    """Remembers what was recorded; `away` makes the store unreachable."""

    samples: list[Sample] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    notices: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    away: bool = False

    async def record(self, sample: Sample, request: Request | None, decision: str | None) -> None:
        if self.away:
            raise StoreAway("the test says so")
        self.samples.append(sample)
        if request is not None:
            self.requests.append(request)
        if decision is not None:
            self.decisions.append(decision)

    async def noticed(self, decision: str, evidence: dict[str, Any], symbol: str, signal_id: int) -> None:
        self.notices.append((decision, evidence))

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """(action, reason) of every sample."""
        return [(str(sample.verdict.action), sample.verdict.reason) for sample in self.samples]


class NoMeasurements:
    def judged(self, action: str, seconds: float) -> None: ...

    def reacted(self, seconds: float) -> None:
        return

    def book_used(self, venue: str, age_seconds: float) -> None: ...

    def trades_open(self, count: int) -> None: ...


class SetLedger:
    """A ledger whose trades a test sets."""

    def __init__(self, *trades: Trade) -> None:
        self.trades: Sequence[Trade] = trades
        self.trading_active = True
        self.away = False

    async def snapshot(self) -> LedgerSnapshot:
        if self.away:
            raise StoreAway("the test says so")
        return LedgerSnapshot(tuple(self.trades), self.trading_active)


class SetMarketData:
    """Public data of one venue as a test sets it; `failing` makes every question fail."""

    def __init__(self, venue: str, terms: Mapping[str, FundingTerms] | None = None) -> None:
        self.venue = venue
        self.terms = dict(terms or {})
        self.books: dict[str, OrderBook] = {}
        self.failing: VenueError | None = None
        self.asked = 0
        self.closed = False

    def fail(self) -> None:
        self.failing = VenueUnreachable(self.venue, "the test says so")

    def _answer(self) -> None:
        self.asked += 1
        if self.failing is not None:
            raise self.failing

    async def instruments(self) -> Mapping[str, Instrument]:
        self._answer()
        return {"SOL": Instrument(self.venue, "SOL", LOT, LOT, Decimal(5), Decimal("0.01"))}

    async def book(self, symbol: str) -> OrderBook:
        self._answer()
        return self.books[symbol]

    async def tops(self, symbols: Sequence[str]) -> Mapping[str, TopOfBook]:
        return {}

    async def funding(self, symbols: Sequence[str]) -> Mapping[str, FundingTerms]:
        self._answer()
        return {symbol: self.terms[symbol] for symbol in symbols if symbol in self.terms}

    async def server_time_offset_seconds(self) -> float:
        return 0.0

    async def close(self) -> None:
        self.closed = True


class SetVenues:
    """The venues of a test."""

    def __init__(self, *markets: SetMarketData) -> None:
        self.markets = {market.venue: market for market in markets}

    def market(self, venue: str) -> SetMarketData | None:
        return self.markets.get(venue)
