"""Puts the executor together. With `venue_check` the only module that may import what can place an order."""

import asyncio
import os
import secrets
import socket
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI

from common.messages import subjects
from common.messaging.bus import Bus
from common.messaging.consumer import Handler, Quarantine
from common.messaging.outbox import FORGET_EVERY_SECONDS, Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock, clock_from_environment
from common.runtime.health import nats_check, outbox_check, postgres_check
from common.runtime.logging import configure_logging
from common.runtime.service import create_app, every_real, refuse_replay_on_real_venues, serve
from common.runtime.settings import SettingsError, TradingSettings, load
from common.runtime.start import within_patience
from common.venues.addresses import VenueAddress, in_effect, simulated, venue_addresses
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.market_data import connect_market_data
from common.venues.ccxt.own_orders import OwnOrders
from common.venues.ccxt.streamed_books import Books, books_as_set
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.credentials import Credentials
from common.venues.ports import Account, MarketData, OrderDesk
from executor.adapters.alarms import JournalAlarms
from executor.adapters.bookkeeping import PostgresBookkeeping
from executor.adapters.exposure import MEASURE_SECONDS, Exposure
from executor.adapters.flattens import VENUES_OF_UNFINISHED, PostgresFlattens
from executor.adapters.installation import claim_database
from executor.adapters.measured_desk import LegSkew, MeasuredDesk
from executor.adapters.measured_ledgers import MeasuredSignalLedger, MeasuredTradeLedger
from executor.adapters.measures import DAILY_LOSS_LIMIT_USDT
from executor.adapters.paper.ledger import PaperLedger
from executor.adapters.paper.venue import connect_paper_venue
from executor.adapters.trading_states import PostgresRailFigures, PostgresTradingStates
from executor.application.candidates import Candidates
from executor.application.guarded_desk import GuardedDesk
from executor.application.ports import TradingStates, TradingVenue, Venues
from executor.application.recovery import LEASE_RENEWAL_SECONDS
from executor.application.use_cases import Ports, UseCases, use_cases
from executor.domain.scale_in_payload import ScaleInSettings
from executor.entrypoints.http import candidate_routes
from executor.entrypoints.messages import MessageRouter
from executor.settings import ExecutorSettings, credentials

log = structlog.get_logger(__name__)

SERVICE = "executor"
_VENUES_IN_USE = f"""
SELECT unnest(ARRAY[long_venue, short_venue]) AS venue FROM watchlist.live_trade_signal
WHERE status IN ('opening', 'open', 'closing') OR (status IN ('closed', 'failed') AND finalised_at IS NULL)
UNION {VENUES_OF_UNFINISHED}
"""  # noqa: S608  table names of ours
CONSUMERS = (
    ("events", subjects.EVENT_STREAM, [subjects.ALL_EVENTS], 16),
    ("closes", subjects.COMMAND_STREAM, [subjects.CLOSE_REQUESTED], 16),
    ("flattens", subjects.COMMAND_STREAM, [subjects.FLATTEN_REQUESTED], 4),
    ("scale-ins", subjects.COMMAND_STREAM, [subjects.SCALE_IN_REQUESTED], 8),
    ("retries", subjects.COMMAND_STREAM, [subjects.ALL_RETRIES], 16),
    ("trading-state", subjects.OPERATOR_STREAM, [subjects.TRADING_STATE_REQUESTED], 1),
)
"""Name, stream, subjects and slots of each consumer: no kind of work waits behind another kind, so a close waits
neither for a round of retries nor for entries, and the trading state changes in the order in which it was asked to."""
OPENING_CONSUMERS = frozenset({"events", "scale-ins", "retries"})
"""What may open waits for the first comparison of the ledger with the venues; what closes or halts does not."""

Connected = tuple[MarketData, Account, OrderDesk, OwnOrders | None]
"""One venue as it is reached: what it shows, the account there, what places orders in it and what tells of them."""

DESCRIPTION = "Signals become hedged trades. The only service that sends orders."


async def main() -> None:
    """Runs the executor until it is told to stop."""
    environment = os.environ
    clock = clock_from_environment(environment)
    trading = load(TradingSettings, environment)
    settings = load(ExecutorSettings, environment)
    # What is wrong with addresses and keys is said before anything is reached.
    allowed = venue_addresses(trading.live_trading_allowed_exchanges, environment)
    if trading.live_trading_mode == "live":
        credentials(allowed, environment)
    configure_logging(SERVICE, settings.log_level, clock)
    async with AsyncExitStack() as resources:
        dsn = settings.database_url.get_secret_value()
        pool = await within_patience("PostgreSQL (DATABASE_URL)", lambda: connect_pool(dsn, SERVICE, size_max=16))
        resources.push_async_callback(pool.close)
        nats_url = settings.nats_url.get_secret_value()
        bus = await within_patience(
            "NATS (NATS_URL)", lambda: Bus.connect(nats_url, SERVICE, settings.nats_stream_replicas)
        )
        resources.push_async_callback(bus.close)
        journal = Journal(SERVICE, pool, clock)
        outbox = Outbox(SERVICE, pool, bus, clock)
        states = PostgresTradingStates(pool, journal, clock)
        await claim_database(pool, trading.live_trading_mode, clock)
        addresses = await venues_to_reach(trading, pool, environment)
        refuse_replay_on_real_venues(clock, simulated(addresses))
        limits = VenueLimits(clock, bus.venue_limits(), trades=True)
        await limits.hear_bans(addresses)
        books = books_as_set(clock, trading.live_trading_max_book_age_sec, streamed=settings.venue_streams)
        if trading.live_trading_mode == "live":
            keys = credentials(addresses, environment)
            hears = settings.venue_streams
            connected = await _live(resources, addresses, keys, clock, limits, books, hears=hears)
        else:
            balance_usdt = settings.executor_paper_balance_usdt
            connected = await _paper(resources, addresses, pool, balance_usdt, clock, limits, books)
        skew = LegSkew(clock)
        venues = {
            name: TradingVenue(market, account, GuardedDesk(MeasuredDesk(desk, skew), states, clock), orders)
            for name, (market, account, desk, orders) in connected.items()
        }
        ports = _ports(trading, clock, pool, outbox, journal, states, venues)
        does = use_cases(ports, trading, settings.rails, settings.executor_unwind_loss_budget_usdt, clock)
        checks = {"postgres": postgres_check(pool), "nats": nats_check(bus), "outbox": outbox_check(outbox)}
        shown = {**trading.in_effect(), **settings.in_effect(), **in_effect(addresses)}
        standings = partial(_standings, limits, connected)
        app = create_app(SERVICE, DESCRIPTION, checks, journal, shown, standings)
        app.include_router(candidate_routes(Candidates(ports.signals, does.opener, clock)))
        DAILY_LOSS_LIMIT_USDT.set(float(settings.rails.daily_loss_usdt))
        exposure = Exposure(pool, states, ports.figures, venues, clock)
        await _run(app, settings, bus, outbox, journal, MessageRouter(does, states), does, exposure, limits)


async def venues_to_reach(
    trading: TradingSettings, pool: Pool, environment: Mapping[str, str]
) -> dict[str, VenueAddress]:
    """The allowed venues, and those on which a trade or an order of a flatten is not final: what is open can be closed
    wherever it is. Where that needs keys or an address that are not there, it is said and left alone: the other trades
    need an executor too.
    """
    allowed = trading.live_trading_allowed_exchanges
    in_use = {row["venue"] for row in await pool.fetch(_VENUES_IN_USE)}
    reached = venue_addresses(allowed, environment)
    for name in sorted(in_use - set(allowed)):
        try:
            address = venue_addresses((name,), environment)
            if trading.live_trading_mode == "live":
                credentials(address, environment)
        except SettingsError as error:
            used_by = "a trade or a flatten that is not final"
            log.warning("venue.out_of_reach", venue=name, used_by=used_by, error=str(error))
        else:
            reached |= address
    return reached


async def _live(
    resources: AsyncExitStack,
    addresses: Mapping[str, VenueAddress],
    keys: Mapping[str, Credentials],
    clock: Clock,
    limits: VenueLimits,
    books: Books,
    *,
    hears: bool,
) -> dict[str, Connected]:
    """The venues themselves, with our keys. `hears`: they tell us of our orders."""
    connected: dict[str, Connected] = {}
    for name, address in addresses.items():
        market, account, desk = await connect_trading_venue(address, keys[name], clock, limits)
        resources.push_async_callback(account.close)
        shown = books(market, address)
        resources.push_async_callback(shown.close)
        orders = OwnOrders(market.markets, address, keys[name], clock) if hears else None
        if orders is not None:
            resources.push_async_callback(orders.close)
        connected[name] = (shown, account, desk, orders)
    return connected


def _standings(limits: VenueLimits, connected: Mapping[str, Connected]) -> dict[str, Any]:
    """What health shows, by venue: bans, limits, and whether it tells us of our orders, where it can."""
    streams = {name: orders for name, (*_, orders) in connected.items() if orders is not None}
    return {
        name: standing | ({"order_stream": "up" if streams[name].is_up else "down"} if name in streams else {})
        for name, standing in limits.standings().items()
    }


async def _paper(
    resources: AsyncExitStack,
    addresses: Mapping[str, VenueAddress],
    pool: Pool,
    balance_usdt: Decimal,
    clock: Clock,
    limits: VenueLimits,
    books: Books,
) -> dict[str, Connected]:
    """The venues' public markets, with accounts of our own. No key is read."""
    connected: dict[str, Connected] = {}
    for name, address in addresses.items():
        market = books(connect_market_data(address, clock, limits), address)
        venue = await connect_paper_venue(market, PaperLedger(pool, name, balance_usdt), clock)
        resources.push_async_callback(venue.close)
        connected[name] = (market, venue, venue, None)
    return connected


def _ports(
    trading: TradingSettings,
    clock: Clock,
    pool: Pool,
    outbox: Outbox,
    journal: Journal,
    states: TradingStates,
    venues: Venues,
) -> Ports:
    trades = MeasuredTradeLedger(
        pool,
        outbox,
        journal,
        clock,
        owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        max_hold=timedelta(days=trading.live_trading_max_hold_days),
        scale_in=ScaleInSettings(
            trading.live_trading_scale_in_enabled,
            trading.live_trading_scale_in_max_entries,
            trading.live_trading_scale_in_trigger_mult,
        ),
    )
    return Ports(
        venues=venues,
        signals=MeasuredSignalLedger(pool, outbox, journal, clock, trading.live_trading_mode),
        trades=trades,
        bookkeeping=PostgresBookkeeping(pool, outbox, journal, clock),
        states=states,
        figures=PostgresRailFigures(pool),
        alarms=JournalAlarms(journal, clock),
        flattens=PostgresFlattens(pool, journal, clock),
    )


def consuming(
    bus: Bus, handle: Handler, quarantine: Quarantine, has_looked: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    """The executor's consumers; those of what may open wait until `has_looked`."""

    async def consume(name: str, stream: str, wanted: list[str], slots: int) -> None:
        if name in OPENING_CONSUMERS:
            await has_looked.wait()
        await bus.consume(stream, f"{SERVICE}-{name}", wanted, handle, quarantine, concurrency=slots)

    return [consume(*consumer) for consumer in CONSUMERS]


async def _reconcile(does: UseCases) -> None:
    await does.reconciler.sweep(does.closing.handle)


async def _run(
    app: FastAPI,
    settings: ExecutorSettings,
    bus: Bus,
    outbox: Outbox,
    journal: Journal,
    router: MessageRouter,
    does: UseCases,
    exposure: Exposure,
    limits: VenueLimits,
) -> None:
    await serve(
        app,
        settings.http_host,
        settings.http_port,
        [
            outbox.run(),
            limits.run(),
            every_real(1.0, outbox.sweep, "outbox"),
            every_real(FORGET_EVERY_SECONDS, outbox.forget_published, "outbox_retention"),
            every_real(LEASE_RENEWAL_SECONDS, does.recovery.renew_leases, "lease renewal"),
            every_real(settings.executor_recovery_sec, does.recovery.sweep, "recovery"),
            every_real(settings.executor_bookkeeping_sec, does.bookkeeper.sweep, "bookkeeping"),
            every_real(settings.executor_bookkeeping_sec, does.flatten_books.sweep, "flatten_books"),
            every_real(settings.executor_rails_sec, does.guardian.sweep, "rails"),
            every_real(settings.executor_reconciliation_sec, partial(_reconcile, does), "reconciliation"),
            every_real(MEASURE_SECONDS, exposure.measure, "measure"),
            *consuming(bus, router.handle, journal.quarantine, does.reconciler.has_looked),
        ],
    )
