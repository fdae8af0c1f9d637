"""A gateway over a real database and a real bus, asked in the same process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx
import pytest_asyncio
import uvicorn
from fastapi import FastAPI

from api_gateway.application.event_hub import EventHub
from api_gateway.application.overview import HistoryTotals
from api_gateway.bootstrap import SERVICE, assemble, read_configuration
from common.messaging.bus import Bus
from common.messaging.outbox import Outbox
from common.persistence.database import Pool, connect_pool
from common.runtime.clock import SystemClock
from support.embedded_stack import Database
from support.ledger_rows import NOON, LedgerRows


class StandingClock(SystemClock):
    """Strategy time stands at noon; real time runs."""

    def now(self) -> datetime:
        return NOON


async def until(condition: Callable[[], Awaitable[object]], *, seconds: float = 60) -> None:
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
    hub: EventHub
    bus: Bus
    alerting: Sequence[Callable[[], Coroutine[Any, Any, None]]]
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
    async with gateway_over(database, nats_url, {"ACCESS_REQUIRED": "0"}) as gateway:
        yield gateway


@asynccontextmanager
async def gateway_over(database: Database, nats_url: str, settings: dict[str, str]) -> AsyncIterator[Gateway]:
    """A gateway with these settings beside what it needs."""
    dsn = database.dsn_of(SERVICE)
    nowhere = dict.fromkeys(("SIGNAL_INGEST_URL", "EXECUTOR_URL", "POSITION_MONITOR_URL"), "http://127.0.0.1:1")
    configuration = read_configuration({"DATABASE_URL": dsn, **nowhere, **settings})
    pool = await connect_pool(dsn, SERVICE)
    bus = await Bus.connect(nats_url, SERVICE)
    parts = assemble(replace(configuration, clock=StandingClock()), pool, bus)
    transport = httpx.ASGITransport(parts.app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield Gateway(parts.app, pool, parts.outbox, parts.history, parts.hub, bus, parts.alerting, http)
    finally:
        await parts.close()
        await bus.close()
        await pool.close()


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The application on loopback; its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving
