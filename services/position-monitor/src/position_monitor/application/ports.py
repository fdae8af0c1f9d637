"""What the monitor needs of the world. Adapters translate whatever is away for the moment into `StoreAway`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from common.domain.order_book import OrderBook
from common.domain.position import Valuation
from common.venues.ports import MarketData
from position_monitor.domain.exits import Verdict
from position_monitor.domain.requests import Request
from position_monitor.domain.trade import Trade

BookKey = tuple[str, str]
"""(venue, symbol)"""


class StoreAway(Exception):
    """The store cannot be reached now: nothing was read or written; ask again later."""


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """All open and closing trades at one moment, and whether trading is active."""

    trades: Sequence[Trade]
    trading_active: bool


class Ledger(Protocol):
    """The executor's books, which position-monitor only reads."""

    async def snapshot(self) -> LedgerSnapshot:
        """The active trades now.

        Raises:
            StoreAway.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One verdict with the valuation it stands on and its evidence, ready for JSON."""

    signal_id: int
    symbol: str
    sampled_at: datetime
    verdict: Verdict
    valuation: Valuation | None
    funding_per_hour: float | None
    evidence: dict[str, Any]


class Leadership(Protocol):
    """Which of several replicas decides."""

    @property
    def is_ours(self) -> bool:
        """Whether this one does, as far as it knows."""
        ...


class Decisions(Protocol):
    """Where verdicts go: sample, request and audit in one transaction."""

    async def record(self, sample: Sample, request: Request | None, decision: str | None) -> None:
        """Stores the sample; with a request also its message, and with a decision its audit line.

        A request whose id was recorded before (by another monitor) is neither sent nor audited again.

        Raises:
            StoreAway: nothing was stored.
        """
        ...

    async def noticed(self, decision: str, evidence: dict[str, Any], symbol: str, signal_id: int) -> None:
        """Audits something noticed that asks for nothing.

        Raises:
            StoreAway: nothing was stored.
        """
        ...


@dataclass(frozen=True, slots=True)
class BookReading:
    """The last good book, if any, and why the newest reading failed, if it did."""

    book: OrderBook | None
    failure: str | None = None


class BookSource(Protocol):
    """Books of the venues as they change. Polling today; a stream fits the same place."""

    def subscribe(self, key: BookKey, changed: Callable[[], None]) -> Callable[[], None]:
        """Keeps the book current and calls `changed` when its levels do; call the result to stop."""
        ...

    def latest(self, key: BookKey) -> BookReading:
        """What is known now; the book carries the moment it was received."""
        ...

    async def read(self, key: BookKey) -> BookReading:
        """Asks the venue now: the book is new, or there is none and a failure says why."""
        ...


class Venues(Protocol):
    """The venues that can be asked for public data."""

    def market(self, venue: str) -> MarketData | None:
        """The venue's public data; None of a venue that no setting names."""
        ...


class Measurements(Protocol):
    """What operators watch."""

    def judged(self, action: str, seconds: float) -> None:
        """One verdict was reached, in real seconds."""
        ...

    def reacted(self, seconds: float) -> None:
        """A trade was judged so long after the change of its book, in real seconds."""
        ...

    def book_used(self, venue: str, age_seconds: float) -> None:
        """A book of this age, in real seconds, was looked at."""
        ...

    def trades_open(self, count: int) -> None:
        """So many trades are watched."""
        ...
