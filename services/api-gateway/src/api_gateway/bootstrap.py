"""Puts the gateway together: the only place that knows which adapter stands behind which port."""

import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from api_gateway.adapters.alert_store import PostgresAlerts
from api_gateway.adapters.apprise_channels import AppriseChannel, WrongAddressError, apprise_channel
from api_gateway.adapters.candidates import HttpCandidates
from api_gateway.adapters.close_requests import PostgresCloseDesk
from api_gateway.adapters.command_answers import PostgresCommandAnswers
from api_gateway.adapters.flatten_requests import PostgresFlattenDesk
from api_gateway.adapters.listings import CounterfactualSummaries, TableListings
from api_gateway.adapters.measures import HttpMeasures
from api_gateway.adapters.news import BusNews
from api_gateway.adapters.service_health import HttpServiceProbe
from api_gateway.adapters.sessions import PostgresSessions
from api_gateway.adapters.signals import PostgresSignals
from api_gateway.adapters.state_requests import PostgresStateDesk
from api_gateway.adapters.trades import PostgresTrades
from api_gateway.application.alerting import AlertDesk, ServiceWatch
from api_gateway.application.event_hub import EventHub
from api_gateway.application.health import READY, SystemHealth, gather_health
from api_gateway.application.measurements import SystemFigures, gather_figures
from api_gateway.application.overview import HistoryTotals, OverviewDesk
from api_gateway.application.ports import ServiceAnswer, SettingsAnswer
from api_gateway.domain.scale_in_outlook import ScaleInLimits
from api_gateway.entrypoints.alerting import alert_routes, trade_news_handler
from api_gateway.entrypoints.operating import (
    CommandDesks,
    command_routes,
    figures_routes,
    health_routes,
    settings_routes,
)
from api_gateway.entrypoints.page import serve_page
from api_gateway.entrypoints.reading import candidate_routes, listing_routes, trade_routes
from api_gateway.entrypoints.session import role_needed, session_routes
from api_gateway.entrypoints.streaming import stream_routes
from api_gateway.settings import AlertAddress, AlertSettings, GatewaySettings
from common.messages.subjects import NEWS_STREAM, TRADE_CHANGED
from common.messaging.bus import Bus
from common.messaging.outbox import FORGET_EVERY_SECONDS, Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from common.runtime.access import Access, AccessSettings, read_access
from common.runtime.clock import Clock, clock_from_environment
from common.runtime.guard import protect
from common.runtime.health import Check, check_all, nats_check, outbox_check, postgres_check
from common.runtime.logging import configure_logging
from common.runtime.service import closing, create_app, every_real, serve
from common.runtime.settings import SettingsError, TradingSettings, load
from common.runtime.start import within_patience

SERVICE = "api_gateway"
DESCRIPTION = "What Tandem does, why, and what it holds; and the operator's commands."
SWEEP_SECONDS = 1.0
HISTORY_SECONDS = 1.0
ALERT_SECONDS = 2.0
SERVICE_LOOK_SECONDS = 5.0
ALERT_CONSUMER = "api_gateway_alerts"
"""One for all gateways: each news comes to one of them."""
BODY_BYTES_MAX = 64 * 1024
"""More than any command or token needs, for signing in takes what anybody sends."""


@dataclass(frozen=True)
class Configuration:
    """Everything that was read at the start, validated."""

    trading: TradingSettings
    own: GatewaySettings
    access: Access
    access_settings: AccessSettings
    clock: Clock
    alerts: AlertSettings
    channels: Sequence[AppriseChannel]


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Reads and validates all settings.

    Raises:
        SettingsError: with a sentence for each wrong one.
    """
    trading, own = load(TradingSettings, environment), load(GatewaySettings, environment)
    access_settings = load(AccessSettings, environment)
    access = read_access(access_settings, own.http_host)
    alerts = load(AlertSettings, environment)
    channels = [_channel(address) for address in alerts.addresses]
    return Configuration(trading, own, access, access_settings, clock_from_environment(environment), alerts, channels)


def _channel(address: AlertAddress) -> AppriseChannel:
    try:
        return apprise_channel(address.name, address.url.get_secret_value())
    except WrongAddressError as error:
        raise SettingsError(str(error)) from error


@dataclass(frozen=True)
class Parts:
    """The gateway's parts, put together but not running."""

    app: FastAPI
    outbox: Outbox
    history: HistoryTotals
    hub: EventHub
    sessions: PostgresSessions
    answers: PostgresCommandAnswers
    probe: HttpServiceProbe
    measures: HttpMeasures
    candidates: HttpCandidates
    alerting: Sequence[Callable[[], Coroutine[Any, Any, None]]]
    """What runs only where alerts have an address."""

    async def close(self) -> None:
        """Closes the connections to the other services."""
        await self.probe.close()
        await self.measures.close()
        await self.candidates.close()

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the answers."""
        return [
            self.outbox.run(),
            self.hub.run(),
            every_real(SWEEP_SECONDS, self.outbox.sweep, "outbox_sweep"),
            every_real(FORGET_EVERY_SECONDS, self.outbox.forget_published, "outbox_retention"),
            every_real(FORGET_EVERY_SECONDS, self.sessions.forget_expired, "session_retention"),
            every_real(FORGET_EVERY_SECONDS, self.answers.forget_old, "answer_retention"),
            every_real(HISTORY_SECONDS, self.history.refresh_when_due, "history_totals"),
            *(work() for work in self.alerting),
        ]


async def main() -> None:
    """Runs the gateway until it is told to stop."""
    configuration = read_configuration(os.environ)
    own = configuration.own
    configure_logging(SERVICE, own.log_level, configuration.clock)
    dsn, nats_url = own.database_url.get_secret_value(), own.nats_url.get_secret_value()
    pool = await within_patience("PostgreSQL (DATABASE_URL)", lambda: connect_pool(dsn, SERVICE))
    async with closing(pool):
        replicas = own.nats_stream_replicas
        bus = await within_patience("NATS (NATS_URL)", lambda: Bus.connect(nats_url, SERVICE, replicas))
        parts = assemble(configuration, pool, bus)
        async with closing(bus, parts):
            await serve(parts.app, own.http_host, own.http_port, parts.background())


def assemble(configuration: Configuration, pool: Pool, bus: Bus) -> Parts:
    """Puts the parts together over one database and one bus."""
    trading, own, clock, access = configuration.trading, configuration.own, configuration.clock, configuration.access
    journal = Journal(SERVICE, pool, clock)
    outbox = Outbox(SERVICE, pool, bus, clock)
    history = HistoryTotals(PostgresSignals(pool, clock), clock)
    lasts_seconds = configuration.access_settings.access_session_hours * 3600
    settings = (trading, own, configuration.access_settings, configuration.alerts)
    shown = {name: setting for group in settings for name, setting in group.in_effect().items()}
    probe, own_health = HttpServiceProbe(), _own_health(_checks(pool, bus, outbox))
    measures = HttpMeasures()
    alerts = _alert_store(configuration, pool)
    parts = Parts(
        app=create_app(SERVICE, DESCRIPTION, _checks(pool, bus, outbox), journal, shown),
        outbox=outbox,
        history=history,
        hub=EventHub(BusNews(bus.feed())),
        sessions=PostgresSessions(pool, access, lasts_seconds, clock),
        answers=PostgresCommandAnswers(pool, clock),
        probe=probe,
        measures=measures,
        candidates=HttpCandidates(own.service_urls["executor"]),
        alerting=_alerting(
            configuration,
            alerts,
            bus,
            journal,
            lambda: gather_health(own_health, probe, own.service_urls),
            lambda: gather_figures(measures, own.service_urls),
        ),
    )
    listings = TableListings(pool)
    desk = OverviewDesk(
        PostgresSignals(pool, clock), history, clock, trading.in_effect(), is_enabled=trading.live_trading_enabled
    )
    limits = ScaleInLimits(
        trading.live_trading_scale_in_enabled,
        trading.live_trading_scale_in_max_entries,
        trading.live_trading_scale_in_trigger_mult,
    )
    desks = CommandDesks(
        PostgresCloseDesk(SERVICE, pool, outbox, journal),
        PostgresFlattenDesk(SERVICE, pool, outbox, journal),
        PostgresStateDesk(SERVICE, pool, outbox, journal),
        parts.answers,
    )
    rate = configuration.access_settings.access_requests_per_sec
    refusals = protect(parts.app, access, rate, clock.monotonic, role_needed, parts.sessions, BODY_BYTES_MAX)
    for routes in (
        trade_routes(desk, PostgresTrades(pool), limits),
        candidate_routes(parts.candidates),
        stream_routes(parts.hub),
        listing_routes(listings, CounterfactualSummaries(pool)),
        alert_routes(listings.alerts, alerts, clock, has_addresses=bool(configuration.channels)),
        health_routes(own_health, probe, own.service_urls),
        figures_routes(measures, {SERVICE: None, **own.service_urls}),
        settings_routes(_own_settings(shown), probe, own.service_urls),
        command_routes(desks, clock),
        session_routes(access, parts.sessions, refusals),
    ):
        parts.app.include_router(routes)
    serve_page(parts.app)
    return parts


def _alert_store(configuration: Configuration, pool: Pool) -> PostgresAlerts:
    settings = configuration.alerts
    return PostgresAlerts(
        pool,
        configuration.clock,
        frozenset(settings.alert_kinds),
        settings.alert_throttle_sec,
        timedelta(minutes=settings.alert_give_up_min),
    )


def _alerting(
    configuration: Configuration,
    alerts: PostgresAlerts,
    bus: Bus,
    journal: Journal,
    health: Callable[[], Awaitable[SystemHealth]],
    figures: Callable[[], Awaitable[SystemFigures]],
) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """What finds and sends alerts; nothing where there is nobody to tell."""
    if not configuration.channels:
        return []
    clock, give_up_seconds = configuration.clock, configuration.alerts.alert_give_up_min * 60
    desk = AlertDesk(alerts, configuration.channels, give_up_seconds, clock)
    watch = ServiceWatch(health, figures, alerts, desk, clock)
    handler = trade_news_handler(alerts, give_up_seconds, clock)
    return [
        lambda: bus.consume(NEWS_STREAM, ALERT_CONSUMER, [TRADE_CHANGED], handler, journal.quarantine, concurrency=1),
        lambda: every_real(ALERT_SECONDS, desk.gather_news, "alert_news"),
        lambda: every_real(ALERT_SECONDS, desk.send_due, "alert_sending"),
        lambda: every_real(SERVICE_LOOK_SECONDS, watch.look, "service_watch"),
        lambda: every_real(FORGET_EVERY_SECONDS, alerts.forget_old, "alert_retention"),
    ]


def _checks(pool: Pool, bus: Bus, outbox: Outbox) -> dict[str, Check]:
    return {"postgres": postgres_check(pool), "nats": nats_check(bus), "outbox": outbox_check(outbox)}


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
