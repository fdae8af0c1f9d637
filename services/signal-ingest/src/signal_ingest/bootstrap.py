"""Puts the service together. It reads public market data only, and owns the watchlist events."""

import os
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from common.messaging.bus import Bus
from common.messaging.outbox import FORGET_EVERY_SECONDS, Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from common.persistence.leadership import Leadership, Work
from common.persistence.page_sessions import StoredSessions
from common.runtime.access import Access, AccessSettings, read_access
from common.runtime.clock import Clock, clock_from_environment
from common.runtime.guard import protect
from common.runtime.health import nats_check, outbox_check, postgres_check
from common.runtime.logging import configure_logging
from common.runtime.service import create_app, every_real, refuse_replay_on_real_venues, serve
from common.runtime.settings import KNOWN_VENUES, TradingSettings, load
from common.runtime.start import within_patience
from common.venues.addresses import VenueAddress, in_effect, simulated, venue_addresses
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.market_data import connect_market_data
from signal_ingest.adapters.linear_file import read_linear_model
from signal_ingest.adapters.observation_past import PostgresObservationPast
from signal_ingest.adapters.skipped_signals import PostgresSkippedSignals
from signal_ingest.adapters.watchlist_store import PostgresWatchlist
from signal_ingest.application import retries, scanner, upkeep
from signal_ingest.application.ingest import Ingest
from signal_ingest.application.listings import Listings
from signal_ingest.application.predictions import Predictor
from signal_ingest.application.retries import Retries
from signal_ingest.application.scanner import Scanner
from signal_ingest.application.upkeep import Upkeep
from signal_ingest.application.venue_feed import VenueFeed
from signal_ingest.domain.prediction.linear import LinearModel
from signal_ingest.entrypoints.signals import add_signal_routes
from signal_ingest.settings import IngestSettings, merge_rules, trigger_rules

SERVICE = "signal_ingest"
OUTBOX_SWEEP_SECONDS = 1.0

Background = Coroutine[Any, Any, None]


@dataclass(frozen=True)
class Configuration:
    """Everything that was read at the start, validated."""

    trading: TradingSettings
    own: IngestSettings
    clock: Clock
    addresses: Mapping[str, VenueAddress]
    linear: LinearModel | None
    access: Access
    requests_per_second: float


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Reads and validates all settings.

    Raises:
        SettingsError, ValueError: with a sentence for each wrong one.
    """
    trading, own = load(TradingSettings, environment), load(IngestSettings, environment)
    clock = clock_from_environment(environment)
    addresses = venue_addresses(trading.live_trading_allowed_exchanges, environment)
    if own.scanner_enabled:
        refuse_replay_on_real_venues(clock, simulated(addresses))
    linear = read_linear_model(own.prediction_linear_file) if own.prediction_model == "linear" else None
    access = load(AccessSettings, environment)
    return Configuration(
        trading, own, clock, addresses, linear, read_access(access, own.http_host), access.access_requests_per_sec
    )


@dataclass(frozen=True)
class Parts:
    """The service's parts, put together but not running."""

    app: FastAPI
    outbox: Outbox
    ingest: Ingest
    listings: Listings
    upkeep: Upkeep
    retries: Retries
    limits: VenueLimits


def assemble(configuration: Configuration, pool: Pool, bus: Bus) -> Parts:
    """Puts the parts together over one database and one bus."""
    trading, clock = configuration.trading, configuration.clock
    journal = Journal(SERVICE, pool, clock)
    outbox = Outbox(SERVICE, pool, bus, clock)
    store = PostgresWatchlist(pool, outbox, journal)
    rules = merge_rules(trading)
    predictor = Predictor(
        PostgresObservationPast(pool),
        configuration.own.taker_fees,
        trading.live_trading_horizon_min,
        configuration.linear,
    )
    ingest = Ingest(store, predictor, clock, trigger_rules(trading), rules)
    listings = Listings({*KNOWN_VENUES, *configuration.addresses})
    checks = {"postgres": postgres_check(pool), "nats": nats_check(bus), "outbox": outbox_check(outbox)}
    shown = {**trading.in_effect(), **configuration.own.in_effect(), **in_effect(configuration.addresses)}
    limits = VenueLimits(clock, bus.venue_limits())
    description = "Observations become watchlist events on the bus."
    app = create_app("signal-ingest", description, checks, journal, shown, limits.standings)
    add_signal_routes(app, ingest, listings, clock)
    sessions = StoredSessions(pool, configuration.access, clock)
    protect(app, configuration.access, configuration.requests_per_second, clock.monotonic, sessions=sessions)
    return Parts(
        app=app,
        outbox=outbox,
        ingest=ingest,
        listings=listings,
        upkeep=Upkeep(store, clock, rules),
        retries=Retries(PostgresSkippedSignals(pool, outbox, journal), clock, trading.live_trading_lookback_min),
        limits=limits,
    )


async def main() -> None:
    """Runs the service until it is told to stop.

    Raises:
        SettingsError, ValueError: a setting is wrong.
        TimeoutError: the database or the bus could not be reached.
    """
    configuration = read_configuration(os.environ)
    own = configuration.own
    configure_logging(SERVICE, own.log_level, configuration.clock)
    async with AsyncExitStack() as resources:
        dsn = own.database_url.get_secret_value()
        pool = await within_patience("PostgreSQL (DATABASE_URL)", lambda: connect_pool(dsn, SERVICE))
        resources.push_async_callback(pool.close)
        nats_url = own.nats_url.get_secret_value()
        bus = await within_patience("NATS (NATS_URL)", lambda: Bus.connect(nats_url, SERVICE, own.nats_stream_replicas))
        resources.push_async_callback(bus.close)
        parts = assemble(configuration, pool, bus)
        await parts.limits.hear_bans(configuration.addresses)
        background = _upkeep(parts) + (_scanning(configuration, parts, resources) if own.scanner_enabled else [])
        await serve(parts.app, own.http_host, own.http_port, background)


def _upkeep(parts: Parts) -> list[Background]:
    keeper = parts.upkeep
    return [
        parts.outbox.run(),
        every_real(OUTBOX_SWEEP_SECONDS, parts.outbox.sweep, "outbox"),
        every_real(FORGET_EVERY_SECONDS, parts.outbox.forget_published, "outbox_retention"),
        every_real(upkeep.FORGET_SECONDS, keeper.forget_observations, "observation_retention"),
        every_real(upkeep.CLOSE_SECONDS, keeper.close_quiet_events, "close_quiet_events"),
        every_real(upkeep.UNSIGNALLED_SECONDS, keeper.announce_unsignalled, "announce_unsignalled"),
        every_real(upkeep.MEASURE_SECONDS, keeper.measure, "measure"),
        every_real(retries.POLL_SECONDS, parts.retries.bring_back_due, "retries"),
    ]


def _scanning(configuration: Configuration, parts: Parts, resources: AsyncExitStack) -> list[Background]:
    own, clock = configuration.own, configuration.clock
    feeds = []
    for address in configuration.addresses.values():
        market = connect_market_data(address, clock, parts.limits)
        resources.push_async_callback(market.close)
        feeds.append(VenueFeed(market, clock, timedelta(seconds=own.scanner_funding_refresh_sec)))
    leadership = Leadership(own.database_url.get_secret_value(), SERVICE, Work.SCAN)
    scanning = Scanner(feeds, parts.ingest, parts.listings, clock, leadership, own.scanner_symbols)
    return [
        leadership.run(),
        parts.limits.run(),
        every_real(scanner.LEARN_SECONDS, scanning.learn_listings, "learn_listings"),
        every_real(scanner.FUNDING_POLL_SECONDS, scanning.refresh_funding, "refresh_funding"),
        every_real(own.scanner_interval_sec, scanning.scan, "scan"),
    ]
