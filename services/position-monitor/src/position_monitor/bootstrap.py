"""Puts the service together. It reads public market data only: no key, and nothing that could place an order."""

import os
from collections.abc import Mapping

from common.messaging.bus import Bus
from common.messaging.outbox import FORGET_EVERY_SECONDS, Outbox
from common.persistence.database import connect_pool
from common.persistence.journal import Journal
from common.persistence.leadership import Leadership, Work
from common.runtime.clock import clock_from_environment
from common.runtime.health import nats_check, outbox_check, postgres_check
from common.runtime.logging import configure_logging
from common.runtime.service import closing, create_app, every_real, refuse_replay_on_real_venues, serve
from common.runtime.settings import KNOWN_VENUES, TradingSettings, load
from common.runtime.start import within_patience
from common.venues.addresses import in_effect, simulated, venue_addresses
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.market_data import connect_market_data
from common.venues.ccxt.streamed_books import Books, books_as_set
from position_monitor.adapters.postgres_counterfactuals import PostgresCounterfactuals
from position_monitor.adapters.postgres_decisions import PostgresDecisions
from position_monitor.adapters.postgres_ledger import SERVICE, PostgresLedger
from position_monitor.adapters.prometheus import PrometheusMeasurements, show_standing
from position_monitor.adapters.venue_books import VenueBooks
from position_monitor.adapters.venue_directory import Connect, VenueDirectory
from position_monitor.application.counterfactuals import ROUND_REAL_SECONDS, Counterfactuals
from position_monitor.application.market_facts import MarketFacts
from position_monitor.application.monitor import Monitor
from position_monitor.application.watch import Tools
from position_monitor.entrypoints.http import add_positions
from position_monitor.entrypoints.news import listen
from position_monitor.settings import MonitorSettings, counterfactual_rules, watch_rules

OUTBOX_SWEEP_REAL_SECONDS = 1.0
DESCRIPTION = "Values open trades and decides what happens to them."


async def main(environment: Mapping[str, str] | None = None, connect: Connect | None = None) -> None:
    """Runs the service until it is told to stop. `connect` reaches a venue's public data, if not as set.

    Raises:
        SettingsError: a setting is wrong.
        TimeoutError: the database or the bus could not be reached.
    """
    environment = os.environ if environment is None else environment
    trading, settings = load(TradingSettings, environment), load(MonitorSettings, environment)
    clock = clock_from_environment(environment)
    allowed = trading.live_trading_allowed_exchanges
    addresses = venue_addresses(dict.fromkeys((*allowed, *KNOWN_VENUES)), environment)
    refuse_replay_on_real_venues(clock, {name: simulated(addresses)[name] for name in allowed})
    configure_logging(SERVICE, settings.log_level, clock)

    dsn, nats_url = settings.database_url.get_secret_value(), settings.nats_url.get_secret_value()
    pool = await within_patience("PostgreSQL (DATABASE_URL)", lambda: connect_pool(dsn, SERVICE))
    async with closing(pool):
        replicas = settings.nats_stream_replicas
        bus = await within_patience("NATS (NATS_URL)", lambda: Bus.connect(nats_url, SERVICE, replicas))
        limits = VenueLimits(clock, bus.venue_limits())
        books_read = books_as_set(clock, trading.live_trading_max_book_age_sec, streamed=settings.venue_streams)
        venues = VenueDirectory(addresses, connect or _connection(books_read, limits), clock)
        async with closing(bus, venues):
            await limits.hear_bans(addresses)
            outbox = Outbox(SERVICE, pool, bus, clock)
            journal = Journal(SERVICE, pool, clock)
            decisions = PostgresDecisions(pool, outbox, journal)
            leadership = Leadership(dsn, SERVICE, Work.JUDGE_TRADES)
            facts = MarketFacts(venues, decisions, leadership, clock)
            books = VenueBooks(venues, clock, settings.monitor_book_poll_sec)
            tools = Tools(books, facts, decisions, PrometheusMeasurements(), leadership, clock)
            opening_enabled = trading.live_trading_enabled
            monitor = Monitor(PostgresLedger(pool), watch_rules(trading), tools, opening_enabled=opening_enabled)
            checks = {"postgres": postgres_check(pool), "nats": nats_check(bus), "outbox": outbox_check(outbox)}
            shown = {**trading.in_effect(), **settings.in_effect(), **in_effect(addresses)}
            app = create_app("position-monitor", DESCRIPTION, checks, journal, shown, limits.standings)
            add_positions(app, monitor)
            show_standing(monitor.judgements, trading.live_trading_stop_loss_funding_per_hour_pct)
            background = [
                leadership.run(),
                monitor.run(),
                books.run(),
                facts.run(),
                outbox.run(),
                limits.run(),
                every_real(OUTBOX_SWEEP_REAL_SECONDS, outbox.sweep, "outbox"),
                every_real(FORGET_EVERY_SECONDS, outbox.forget_published, "outbox_retention"),
                listen(bus, monitor, journal.quarantine),
            ]
            if settings.monitor_counterfactuals_max:
                counterfactuals = Counterfactuals(
                    books,
                    PostgresCounterfactuals(pool, trading.live_trading_tp_ratio),
                    monitor.books_needed,
                    limits.has_room,
                    leadership,
                    counterfactual_rules(trading, settings),
                    settings.monitor_counterfactuals_max,
                    clock,
                )
                background.append(every_real(ROUND_REAL_SECONDS, counterfactuals.round, "counterfactuals"))
            await serve(app, settings.http_host, settings.http_port, background)


def _connection(books: Books, limits: VenueLimits) -> Connect:
    """Reaches a venue's public data."""
    return lambda address, clock: books(connect_market_data(address, clock, limits), address)
