"""Puts the executor together. The only module of Tandem that may import what can place an order."""

import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta

from common.messages import subjects
from common.messaging.bus import Bus
from common.messaging.outbox import Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock, clock_from_environment
from common.runtime.health import nats_check, postgres_check
from common.runtime.logging import configure_logging
from common.runtime.service import create_app, every_real, refuse_replay_on_real_venues, serve
from common.runtime.settings import SettingsError, TradingSettings, load
from common.venues.addresses import VenueAddress, simulated, venue_addresses
from common.venues.ccxt.trading import connect_trading_venue
from executor.adapters.bookkeeping import PostgresBookkeeping
from executor.adapters.signal_ledger import PostgresSignalLedger
from executor.adapters.trade_ledger import PostgresTradeLedger
from executor.application.bookkeeping import Bookkeeper
from executor.application.closing import Closing
from executor.application.entries import EntryOpener
from executor.application.opening import SignalOpener
from executor.application.orders import OrderRunner
from executor.application.planning import EntryPlanner
from executor.application.ports import TradingVenue, Venues
from executor.application.recovery import Recovery
from executor.application.scale_in import ScaleIn
from executor.application.standings import AccountStandings
from executor.domain.scale_in_payload import ScaleInSettings
from executor.entrypoints.messages import MessageRouter
from executor.settings import Credentials, ExecutorSettings, credentials

SERVICE = "executor"


async def main() -> None:
    """Runs the executor until it is told to stop."""
    environment = os.environ
    clock = clock_from_environment(environment)
    trading = load(TradingSettings, environment)
    settings = load(ExecutorSettings, environment)
    addresses = venue_addresses(trading.live_trading_allowed_exchanges, environment)
    refuse_replay_on_real_venues(clock, simulated(addresses))
    keys = _keys(trading, environment)
    configure_logging(SERVICE, settings.log_level, clock)
    async with AsyncExitStack() as resources:
        pool = await connect_pool(settings.database_url.get_secret_value(), SERVICE, size_max=16)
        resources.push_async_callback(pool.close)
        bus = await Bus.connect(settings.nats_url, SERVICE)
        resources.push_async_callback(bus.close)
        venues = {}
        for name, address in addresses.items():
            venues[name] = await _connect(resources, address, keys[name], clock)
        await _serve(trading, settings, clock, pool, bus, venues)


def _keys(trading: TradingSettings, environment: Mapping[str, str]) -> dict[str, Credentials]:
    if trading.live_trading_mode == "paper":
        raise SettingsError(
            "LIVE_TRADING_MODE='paper': this version trades only in live mode, on real or simulated venues; "
            "allowed is 'live' together with LIVE_TRADING_CONFIRM_LIVE=yes"
        )
    return credentials(trading.live_trading_allowed_exchanges, environment)


async def _connect(resources: AsyncExitStack, address: VenueAddress, keys: Credentials, clock: Clock) -> TradingVenue:
    market, account, desk = await connect_trading_venue(address, keys.api_key, keys.api_secret, clock)
    resources.push_async_callback(account.close)
    return TradingVenue(market, account, desk)


async def _serve(
    trading: TradingSettings, settings: ExecutorSettings, clock: Clock, pool: Pool, bus: Bus, venues: Venues
) -> None:
    journal = Journal(SERVICE, pool, clock)
    outbox = Outbox(SERVICE, pool, bus, clock)
    signals = PostgresSignalLedger(pool, outbox, journal, clock, trading.live_trading_mode)
    trades = PostgresTradeLedger(
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
    runner = OrderRunner(venues, trades, clock)
    standings = AccountStandings(venues, trading.live_trading_leverage, clock)
    planner = EntryPlanner(venues, standings, trading, clock)
    entries = EntryOpener(venues, trades, runner, standings, trading.live_trading_max_concurrent, clock)
    closing = Closing(venues, trades, runner, entries, trading, clock)
    recovery = Recovery(trades, entries, closing)
    router = MessageRouter(
        SignalOpener(signals, trades, planner, entries, venues, trading, clock),
        ScaleIn(signals, trades, planner, entries, venues, trading, clock),
        closing,
    )
    bookkeeper = Bookkeeper(venues, PostgresBookkeeping(pool, outbox, journal, clock), clock)
    checks = {"postgres": postgres_check(pool), "nats": nats_check(bus)}
    app = create_app(SERVICE, "Signals become hedged trades. The only service that sends orders.", checks, journal)
    consumers = {
        subjects.EVENT_STREAM: ["watchlist.event.*"],
        subjects.COMMAND_STREAM: subjects.STREAM_SUBJECTS[subjects.COMMAND_STREAM],
    }
    await recovery.sweep()
    await serve(
        app,
        settings.http_host,
        settings.http_port,
        [
            outbox.run(),
            every_real(1.0, outbox.sweep, "outbox"),
            every_real(settings.executor_recovery_sec, recovery.sweep, "recovery"),
            every_real(settings.executor_bookkeeping_sec, bookkeeper.sweep, "bookkeeping"),
            *(
                bus.consume(stream, f"{SERVICE}-{stream.lower()}", filters, router.handle, journal.quarantine)
                for stream, filters in consumers.items()
            ),
        ],
    )
