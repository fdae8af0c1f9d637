"""Puts the gateway together: the only place that knows which adapter stands behind which port."""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI

from api_gateway.adapters.close_requests import PostgresCloseDesk
from api_gateway.adapters.listings import TableListings
from api_gateway.adapters.service_health import HttpServiceProbe
from api_gateway.adapters.signals import PostgresSignals
from api_gateway.adapters.state_requests import PostgresStateDesk
from api_gateway.adapters.trades import PostgresTrades
from api_gateway.application.health import READY
from api_gateway.application.overview import HistoryTotals, OverviewDesk
from api_gateway.application.ports import ServiceAnswer, SettingsAnswer
from api_gateway.domain.scale_in_outlook import ScaleInLimits
from api_gateway.entrypoints.operating import command_routes, health_routes, settings_routes
from api_gateway.entrypoints.reading import listing_routes, trade_routes
from api_gateway.settings import GatewaySettings
from common.messaging.bus import Bus
from common.messaging.outbox import FORGET_EVERY_SECONDS, Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock, clock_from_environment
from common.runtime.health import Check, check_all, nats_check, outbox_check, postgres_check
from common.runtime.logging import configure_logging
from common.runtime.service import closing, create_app, every_real, serve
from common.runtime.settings import TradingSettings, load
from common.runtime.start import within_patience

SERVICE = "api_gateway"
DESCRIPTION = "What Tandem does, why, and what it holds; and the operator's commands."
SWEEP_SECONDS = 1.0
HISTORY_SECONDS = 1.0


async def main() -> None:
    """Runs the gateway until it is told to stop."""
    trading, settings = load(TradingSettings), load(GatewaySettings)
    clock = clock_from_environment(os.environ)
    configure_logging(SERVICE, settings.log_level, clock)
    dsn, nats_url = settings.database_url.get_secret_value(), settings.nats_url.get_secret_value()
    pool = await within_patience("PostgreSQL (DATABASE_URL)", lambda: connect_pool(dsn, SERVICE))
    async with closing(pool):
        bus = await within_patience("NATS (NATS_URL)", lambda: Bus.connect(nats_url, SERVICE))
        probe = HttpServiceProbe()
        async with closing(bus, probe):
            outbox = Outbox(SERVICE, pool, bus, clock)
            history = HistoryTotals(PostgresSignals(pool, clock), clock)
            app = build_app(pool, bus, outbox, history, probe, trading, settings, clock)
            background = [
                outbox.run(),
                every_real(SWEEP_SECONDS, outbox.sweep, "outbox_sweep"),
                every_real(FORGET_EVERY_SECONDS, outbox.forget_published, "outbox_retention"),
                every_real(HISTORY_SECONDS, history.refresh_when_due, "history_totals"),
            ]
            await serve(app, settings.http_host, settings.http_port, background)


def build_app(
    pool: Pool,
    bus: Bus,
    outbox: Outbox,
    history: HistoryTotals,
    probe: HttpServiceProbe,
    trading: TradingSettings,
    settings: GatewaySettings,
    clock: Clock,
) -> FastAPI:
    """The HTTP side over connected resources."""
    journal = Journal(SERVICE, pool, clock)
    checks = {"postgres": postgres_check(pool), "nats": nats_check(bus), "outbox": outbox_check(outbox)}
    desk = OverviewDesk(
        PostgresSignals(pool, clock), history, clock, trading.in_effect(), is_enabled=trading.live_trading_enabled
    )
    limits = ScaleInLimits(
        trading.live_trading_scale_in_enabled,
        trading.live_trading_scale_in_max_entries,
        trading.live_trading_scale_in_trigger_mult,
    )
    shown = {**trading.in_effect(), **settings.in_effect()}
    app = create_app(SERVICE, DESCRIPTION, checks, journal, shown)
    app.include_router(trade_routes(desk, PostgresTrades(pool), limits))
    app.include_router(listing_routes(TableListings(pool)))
    app.include_router(health_routes(_own_health(checks), probe, settings.service_urls))
    app.include_router(settings_routes(_own_settings(shown), probe, settings.service_urls))
    app.include_router(_commands(pool, outbox, journal, clock))
    return app


def _commands(pool: Pool, outbox: Outbox, journal: Journal, clock: Clock) -> APIRouter:
    closes = PostgresCloseDesk(SERVICE, pool, outbox, journal)
    return command_routes(closes, PostgresStateDesk(SERVICE, pool, outbox, journal), clock)


def _own_settings(shown: Mapping[str, Mapping[str, Any]]) -> SettingsAnswer:
    return SettingsAnswer.model_validate({"service": SERVICE, "url": None, "settings": shown, "problem": None})


def _own_health(checks: Mapping[str, Check]) -> Callable[[], Awaitable[ServiceAnswer]]:
    async def own() -> ServiceAnswer:
        readiness = await check_all(checks)
        return ServiceAnswer(
            service=SERVICE,
            url=None,
            status="not_ready" if readiness.problems else READY,
            dependencies={name: readiness.problems.get(name, "ok") for name in readiness.checked},
            problem=None,
        )

    return own
