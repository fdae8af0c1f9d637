"""The executor's use cases on a real database and two venues in memory, without bus or processes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.messages.contracts import CloseRequested, Prediction, ScaleInRequested, WatchlistEvent
from common.messaging import outbox
from common.messaging.outbox import Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from common.runtime.settings import TradingSettings, load
from executor.adapters.alarms import JournalAlarms
from executor.adapters.bookkeeping import PostgresBookkeeping
from executor.adapters.flattens import PostgresFlattens
from executor.adapters.signal_ledger import PostgresSignalLedger
from executor.adapters.trade_ledger import PostgresTradeLedger
from executor.adapters.trading_states import PostgresRailFigures, PostgresTradingStates
from executor.application.guarded_desk import GuardedDesk
from executor.application.ports import TradingVenue
from executor.application.use_cases import Ports, use_cases
from executor.domain.rails import Rails
from executor.domain.records import TradeBook
from executor.domain.scale_in_payload import ScaleInSettings
from support.embedded_stack import Database
from support.fake_venue import FakeVenue
from support.simulated_venues import NOON, HandClock
from venue_sim.market import Level

SETTINGS = {
    "LIVE_TRADING_MODE": "live",
    "LIVE_TRADING_CONFIRM_LIVE": "yes",
    "LIVE_TRADING_ALLOWED_EXCHANGES": "binance,bybit",
    "LIVE_TRADING_PER_LEG_USDT": "1000",
    "LIVE_TRADING_OB_CONFIRM_SAMPLES": "2",
    "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC": "0",
    "LIVE_TRADING_SCALE_IN_MIN_INTERVAL_MIN": "2",
}


NO_RAILS = Rails(daily_loss_usdt=Decimal(0), unwinds_per_hour=0, clock_offset_seconds=0.0)


@dataclass
class DeskClock:
    """Strategy time by hand; everything that is about processes is real."""

    hand: HandClock = field(default_factory=HandClock)

    def now(self) -> datetime:
        return self.hand.moment

    def monotonic(self) -> float:
        return time.monotonic()

    def unix_seconds(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def forward(self, **amount: float) -> None:
        """Lets strategy time pass."""
        self.hand.moment += timedelta(**amount)


async def unpublished(pool: Pool, service: str) -> int:
    """How many of a service's messages wait to be published."""
    return len(await pool.fetch(outbox._UNPUBLISHED, service, 0, 500))


class SilentBus:
    """Takes every message and keeps none: what was told stands in the outbox."""

    async def publish(self, subject: str, body: bytes, message_id: str, traceparent: str | None) -> bool:
        return True


@dataclass
class ExecutorDesk:
    """One executor. Two desks on one database are two replicas."""

    pool: Pool
    clock: DeskClock
    venues: dict[str, FakeVenue]
    owner: str = "desk-1"
    settings: dict[str, str] = field(default_factory=dict)
    rails: Rails = NO_RAILS

    def __post_init__(self) -> None:
        trading = load(TradingSettings, SETTINGS | self.settings)
        outbox = Outbox("executor", self.pool, SilentBus(), self.clock)
        journal = Journal("executor", self.pool, self.clock)
        self.signals = PostgresSignalLedger(self.pool, outbox, journal, self.clock, "live")
        self.trades = PostgresTradeLedger(
            self.pool,
            outbox,
            journal,
            self.clock,
            owner=self.owner,
            max_hold=timedelta(days=trading.live_trading_max_hold_days),
            scale_in=ScaleInSettings(True, trading.live_trading_scale_in_max_entries, 1.5),
        )
        self.states = PostgresTradingStates(self.pool, journal, self.clock)
        reached = {
            name: TradingVenue(venue, venue, GuardedDesk(venue, self.states, self.clock))
            for name, venue in self.venues.items()
        }
        self.bookkeeping = PostgresBookkeeping(self.pool, outbox, journal, self.clock)
        figures = PostgresRailFigures(self.pool)
        alarms = JournalAlarms(journal, self.clock)
        self.flattens = PostgresFlattens(self.pool, journal, self.clock)
        ports = Ports(reached, self.signals, self.trades, self.bookkeeping, self.states, figures, alarms, self.flattens)
        does = use_cases(ports, trading, self.rails, Decimal(5), self.clock)
        self.opener, self.scale_in, self.closing = does.opener, does.scale_in, does.closing
        self.recovery, self.bookkeeper, self.guardian = does.recovery, does.bookkeeper, does.guardian
        self.reconciler, self.flattening, self.flatten_books = does.reconciler, does.flattening, does.flatten_books

    async def signal(self, event: WatchlistEvent) -> Any:
        """The row of the event's signal."""
        row = await self.pool.fetchrow("SELECT * FROM watchlist.live_trade_signal WHERE event_id = $1", event.event_id)
        assert row is not None
        return row

    async def book(self, event: WatchlistEvent) -> TradeBook:
        """The trade of the event with its entries and orders."""
        return await self.trades.book((await self.signal(event))["id"])

    async def open_trade(self, event: WatchlistEvent) -> TradeBook:
        """Handles the event and expects an open trade."""
        await self.opener.handle_event(event)
        book = await self.book(event)
        assert book.trade.status == "open", await self.signal(event)
        return book

    async def close(self, book: TradeBook, reason: str = "take_profit") -> TradeBook:
        """Asks for a close and returns the trade as it then stands."""
        request = CloseRequested(signal_id=book.trade.id, reason=reason, requested_by="test", evidence={})
        await self.closing.handle(request)
        return await self.trades.book(book.trade.id)

    async def scale(self, book: TradeBook, entries: int = 1) -> TradeBook:
        """Asks for a scale-in and returns the trade as it then stands."""
        await self.scale_in.handle(ScaleInRequested(signal_id=book.trade.id, entries=entries, evidence={}))
        return await self.trades.book(book.trade.id)

    async def decisions(self, signal_id: int) -> list[str]:
        """What the audit says of one signal, in order."""
        rows = await self.pool.fetch("SELECT decision FROM watchlist.audit WHERE signal_id = $1 ORDER BY id", signal_id)
        return [row["decision"] for row in rows]


def quote(venue: FakeVenue, bid: str, ask: str, depth: str = "100") -> None:
    """Sets the venue's SOL book to one level on each side."""
    sides = (Level(Decimal(bid), Decimal(depth)),), (Level(Decimal(ask), Decimal(depth)),)
    venue.ledger.override_book("SOL", sides)


def gap(venues: dict[str, FakeVenue], long: str, short: str, *, depth: str = "100") -> None:
    """bybit cheap at `long`, binance dear at `short`: their mid prices, 0.02 between bid and ask."""
    for name, mid in (("bybit", Decimal(long)), ("binance", Decimal(short))):
        quote(venues[name], str(mid - Decimal("0.01")), str(mid + Decimal("0.01")), depth)


def event(event_id: int = 1, at: datetime = NOON, **changes: Any) -> WatchlistEvent:
    """An open Type B event of SOL, cheap on bybit, with a prediction that meets the thresholds."""
    values: dict[str, Any] = {
        "event_id": event_id,
        "version": 1,
        "type": "B",
        "symbol": "SOL",
        "long_venue": "bybit",
        "short_venue": "binance",
        "status": "open",
        "observations": 1,
        "first_observed_at": at,
        "last_observed_at": at,
        "factors": {},
        "prediction": Prediction(pnl_hat=0.009, win_prob=0.9, horizon_min=240, source="caller"),
    }
    return WatchlistEvent(**values | changes)


@asynccontextmanager
async def executor_desk(database: Database, **settings: str) -> AsyncIterator[ExecutorDesk]:
    """A desk as the executor's own role, with bybit at 188 and binance at 191: a gap of 1.6 %."""
    pool = await connect_pool(database.dsn_of("executor"), "executor")
    clock = DeskClock()
    venues = {name: FakeVenue(name, clock.hand) for name in ("binance", "bybit")}
    gap(venues, "188", "191")
    try:
        yield ExecutorDesk(pool, clock, venues, settings=settings)
    finally:
        await pool.close()
