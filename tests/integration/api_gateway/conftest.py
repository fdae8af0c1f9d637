"""A gateway over a real database and a real bus, asked in the same process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

import httpx
import pytest_asyncio
from fastapi import FastAPI

from api_gateway.adapters.service_health import HttpServiceProbe
from api_gateway.adapters.signals import PostgresSignals
from api_gateway.application.overview import HistoryTotals
from api_gateway.bootstrap import SERVICE, build_app
from api_gateway.settings import GatewaySettings
from common.messaging.bus import Bus
from common.messaging.outbox import Outbox
from common.persistence.database import Pool, connect_pool
from common.runtime.clock import SystemClock
from common.runtime.settings import TradingSettings, load
from support.embedded_stack import Database
from support.ledger_rows import NOON, LedgerRows


class StandingClock(SystemClock):
    """Strategy time stands at noon; real time runs."""

    def now(self) -> datetime:
        return NOON


async def until(condition: Callable[[], Awaitable[object]], *, seconds: float = 20) -> None:
    """Returns once the condition holds; fails when it does not in time."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Gateway:
    """The application with what stands behind it."""

    app: FastAPI
    pool: Pool
    outbox: Outbox
    history: HistoryTotals
    http: httpx.AsyncClient = field(repr=False)


@pytest_asyncio.fixture(loop_scope="session")
async def rows(database: Database) -> AsyncIterator[LedgerRows]:
    """Builders of ledger rows."""
    pool = await connect_pool(database.owner_dsn, "test")
    yield LedgerRows(pool)
    await pool.close()


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(database: Database, nats_url: str) -> AsyncIterator[Gateway]:
    """The gateway as its own database role, with the settings' defaults and no other service running."""
    dsn = database.dsn_of(SERVICE)
    settings = load(
        GatewaySettings,
        {
            "DATABASE_URL": dsn,
            "SIGNAL_INGEST_URL": "http://127.0.0.1:1",
            "EXECUTOR_URL": "http://127.0.0.1:1",
            "POSITION_MONITOR_URL": "http://127.0.0.1:1",
        },
    )
    clock = StandingClock()
    pool = await connect_pool(dsn, SERVICE)
    bus = await Bus.connect(nats_url, SERVICE)
    probe = HttpServiceProbe()
    outbox = Outbox(SERVICE, pool, bus, clock)
    history = HistoryTotals(PostgresSignals(pool, clock), clock)
    app = build_app(pool, bus, outbox, history, probe, load(TradingSettings, {}), settings, clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        yield Gateway(app, pool, outbox, history, http)
    await probe.close()
    await bus.close()
    await pool.close()
