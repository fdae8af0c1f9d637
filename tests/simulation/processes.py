"""The three services as simulated processes: their own code over servers in memory, as their bootstraps join it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, cast

from common.messages.envelope import Envelope
from common.messaging.bus import Bus
from common.messaging.outbox import Outbox
from common.persistence.journal import Journal
from common.runtime.service import every_real
from common.runtime.settings import KNOWN_VENUES, TradingSettings
from common.venues.ports import MarketData
from executor.adapters.alarms import JournalAlarms
from executor.adapters.bookkeeping import PostgresBookkeeping
from executor.adapters.flattens import PostgresFlattens
from executor.adapters.signal_ledger import PostgresSignalLedger
from executor.adapters.trade_ledger import PostgresTradeLedger
from executor.adapters.trading_states import PostgresRailFigures, PostgresTradingStates
from executor.application.guarded_desk import GuardedDesk
from executor.application.ports import TradingVenue
from executor.application.recovery import LEASE_RENEWAL_SECONDS
from executor.application.use_cases import Ports, use_cases
from executor.bootstrap import consuming
from executor.domain.rails import Rails
from executor.domain.scale_in_payload import ScaleInSettings
from executor.entrypoints.messages import MessageRouter
from position_monitor.adapters.postgres_decisions import PostgresDecisions
from position_monitor.adapters.postgres_ledger import PostgresLedger
from position_monitor.adapters.venue_books import VenueBooks
from position_monitor.application.market_facts import MarketFacts
from position_monitor.application.monitor import Monitor
from position_monitor.application.watch import Tools
from position_monitor.entrypoints.news import listen
from position_monitor.settings import watch_rules
from signal_ingest.adapters.observation_past import PostgresObservationPast
from signal_ingest.adapters.skipped_signals import PostgresSkippedSignals
from signal_ingest.adapters.watchlist_store import PostgresWatchlist
from signal_ingest.application import retries, scanner, upkeep
from signal_ingest.application.ingest import Ingest
from signal_ingest.application.listings import Listings
from signal_ingest.application.predictions import Predictor, TakerFees
from signal_ingest.application.retries import Retries
from signal_ingest.application.scanner import Scanner
from signal_ingest.application.upkeep import Upkeep
from signal_ingest.application.venue_feed import VenueFeed
from signal_ingest.settings import merge_rules, trigger_rules
from support.memory_jetstream import MemoryNats
from support.memory_pool import MemoryPool
from support.monitor_fakes import NoMeasurements
from support.replica import SetLeadership
from support.virtual_process import Life
from support.virtual_time import VirtualClock
from support.virtual_venue import UnreliableWord, VirtualVenue

EXECUTOR_RECOVERY_SECONDS = 0.5
EXECUTOR_BOOKKEEPING_SECONDS = 1.0
EXECUTOR_RAILS_SECONDS = 5.0
EXECUTOR_RECONCILIATION_SECONDS = 5.0
UNWIND_LOSS_BUDGET_USDT = Decimal(5)
OUTBOX_SECONDS = 1.0
SCAN_SECONDS = 1.0
BOOK_POLL_SECONDS = 1.0
TAKER_FEE = 0.0005

Work = Coroutine[Any, Any, None]
HandlerFailed = Callable[[str, BaseException], None]


@dataclass(frozen=True)
class Surroundings:
    """Everything that one life of a process can reach."""

    life: Life
    clock: VirtualClock
    random: Random
    pool: MemoryPool
    nats: MemoryNats
    venues: Mapping[str, VirtualVenue]
    settings: TradingSettings
    rails: Rails
    handler_failed: HandlerFailed

    def joined(self, service: str) -> tuple[Any, Outbox, Journal, Bus]:
        """Database, outbox, journal and bus of a service."""
        pool: Any = self.pool
        bus = Bus(cast("Any", self.nats), service)
        return pool, Outbox(service, pool, bus, self.clock), Journal(service, pool, self.clock), bus

    def watched(self, handle: Callable[[Envelope], Awaitable[None]]) -> Callable[[Envelope], Work]:
        """Handles messages, and tells of what a handler raises before the bus deals with it."""

        async def handled(envelope: Envelope) -> None:
            try:
                await handle(envelope)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self.handler_failed(envelope.subject, error)
                raise

        return handled


async def executor(around: Surroundings) -> None:
    """One executor, as `executor.bootstrap` runs it."""
    pool, outbox, journal, bus = around.joined("executor")
    settings, clock = around.settings, around.clock
    states = PostgresTradingStates(pool, journal, clock)
    trades = PostgresTradeLedger(
        pool,
        outbox,
        journal,
        clock,
        owner=around.life.name,
        max_hold=timedelta(days=settings.live_trading_max_hold_days),
        scale_in=ScaleInSettings(
            settings.live_trading_scale_in_enabled,
            settings.live_trading_scale_in_max_entries,
            settings.live_trading_scale_in_trigger_mult,
        ),
    )

    def drawn() -> str:
        """The run's own order keys."""
        return f"{around.random.getrandbits(64):016x}"

    ports = Ports(
        venues={
            name: TradingVenue(venue, venue, GuardedDesk(venue, states, clock), UnreliableWord())
            for name, venue in around.venues.items()
        },
        signals=PostgresSignalLedger(pool, outbox, journal, clock, "live", new_order_key=drawn),
        trades=trades,
        bookkeeping=PostgresBookkeeping(pool, outbox, journal, clock),
        states=states,
        figures=PostgresRailFigures(pool),
        alarms=JournalAlarms(journal, clock),
        flattens=PostgresFlattens(pool, journal, clock, new_order_key=drawn),
    )
    does = use_cases(ports, settings, around.rails, UNWIND_LOSS_BUDGET_USDT, clock)
    router = MessageRouter(does, states)

    async def reconcile() -> None:
        await does.reconciler.sweep(does.closing.handle)

    await _together(
        [
            outbox.run(),
            every_real(OUTBOX_SECONDS, outbox.sweep, "outbox"),
            every_real(LEASE_RENEWAL_SECONDS, does.recovery.renew_leases, "lease renewal"),
            every_real(EXECUTOR_RECOVERY_SECONDS, does.recovery.sweep, "recovery"),
            every_real(EXECUTOR_BOOKKEEPING_SECONDS, does.bookkeeper.sweep, "bookkeeping"),
            every_real(EXECUTOR_BOOKKEEPING_SECONDS, does.flatten_books.sweep, "flatten books"),
            every_real(EXECUTOR_RAILS_SECONDS, does.guardian.sweep, "rails"),
            every_real(EXECUTOR_RECONCILIATION_SECONDS, reconcile, "reconciliation"),
            *consuming(bus, around.watched(router.handle), journal.quarantine, does.reconciler.has_looked),
        ]
    )


async def signal_ingest(around: Surroundings) -> None:
    """signal-ingest, as `signal_ingest.bootstrap` runs it."""
    pool, outbox, journal, _ = around.joined("signal_ingest")
    settings, clock = around.settings, around.clock
    rules = merge_rules(settings)
    store = PostgresWatchlist(pool, outbox, journal)
    predictor = Predictor(
        PostgresObservationPast(pool), TakerFees({}, TAKER_FEE), settings.live_trading_horizon_min, None
    )
    ingest = Ingest(store, predictor, clock, trigger_rules(settings), rules)
    keeper = Upkeep(store, clock, rules)
    skipped = PostgresSkippedSignals(pool, outbox, journal)
    returning = Retries(skipped, clock, settings.live_trading_lookback_min)
    feeds = [VenueFeed(venue, clock, timedelta(seconds=60)) for venue in around.venues.values()]
    scanning = Scanner(feeds, ingest, Listings(KNOWN_VENUES), clock, SetLeadership())
    await _together(
        [
            outbox.run(),
            every_real(OUTBOX_SECONDS, outbox.sweep, "outbox"),
            every_real(upkeep.CLOSE_SECONDS, keeper.close_quiet_events, "close_quiet_events"),
            every_real(upkeep.UNSIGNALLED_SECONDS, keeper.announce_unsignalled, "announce_unsignalled"),
            every_real(retries.POLL_SECONDS, returning.bring_back_due, "retries"),
            every_real(scanner.LEARN_SECONDS, scanning.learn_listings, "learn_listings"),
            every_real(scanner.FUNDING_POLL_SECONDS, scanning.refresh_funding, "refresh_funding"),
            every_real(SCAN_SECONDS, scanning.scan, "scan"),
        ]
    )


@dataclass(frozen=True)
class _Venues:
    """The monitor's way to the venues."""

    markets: Mapping[str, MarketData]

    def market(self, venue: str) -> MarketData | None:
        return self.markets.get(venue)


async def position_monitor(around: Surroundings) -> None:
    """position-monitor, as `position_monitor.bootstrap` runs it."""
    pool, outbox, journal, bus = around.joined("position_monitor")
    settings, clock = around.settings, around.clock
    venues = _Venues(around.venues)
    decisions = PostgresDecisions(pool, outbox, journal)
    leadership = SetLeadership()
    facts = MarketFacts(venues, decisions, leadership, clock)
    books = VenueBooks(venues, clock, BOOK_POLL_SECONDS)
    tools = Tools(books, facts, decisions, NoMeasurements(), leadership, clock)
    monitor = Monitor(PostgresLedger(pool), watch_rules(settings), tools, opening_enabled=True)
    await _together(
        [
            monitor.run(),
            books.run(),
            facts.run(),
            outbox.run(),
            every_real(OUTBOX_SECONDS, outbox.sweep, "outbox"),
            listen(bus, monitor, journal.quarantine),
        ]
    )


async def _together(works: list[Work]) -> None:
    """Runs until the first of them fails, and fails with it; in the order given, unlike a TaskGroup's."""
    tasks = [asyncio.create_task(work) for work in works]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            await task


SERVICES: dict[str, Callable[[Surroundings], Work]] = {
    "executor": executor,
    "signal_ingest": signal_ingest,
    "position_monitor": position_monitor,
}

NO_RAILS = Rails(Decimal(0), 0, 0.0)
