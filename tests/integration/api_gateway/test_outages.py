"""Whatever is away, and whatever is asked: the answer is what was asked for, or a problem that says what is away."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from common.messaging import bus as buses
from common.persistence import database as pools
from common.persistence.database import Pool
from common.runtime import health
from integration.common.test_fault_proxy import port_of, through
from support.embedded_stack import Database
from support.fault_proxy import FaultProxy, fault_proxy
from support.ledger_rows import LedgerRows

from .conftest import Gateway, gateway_over, listening

ROUNDS = 2
WAITED_FOR_SECONDS = 5.0
SILENCE_SECONDS = 2.0
HEALED_WITHIN_SECONDS = 60.0
FILLED_IN = {"{signal_id}": "1", "{request_id}": "flatten-binance-SOL-1"}
SAYS_WHO = ("/api/health", "/health/ready")
"""Their 503 is an answer: it names who is not ready."""
COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("trading_state", {"state": "reducing"}),
    ("flatten_position", {"venue": "binance", "symbol": "SOL"}),
    ("force_close", {"signal_id": 1}),
]

_CANCEL_ALL = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'api_gateway'
"""
_ONE_WAITS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
"""
_END_ALL = _CANCEL_ALL.replace("pg_cancel_backend", "pg_terminate_backend")

Trouble = Callable[[FaultProxy, FaultProxy, Pool], Awaitable[object]]
"""With the ways to the database and to the bus, and with the database's owner."""


async def database_cut(database: FaultProxy, _: FaultProxy, __: Pool) -> None:
    await database.cut()


async def database_gone(database: FaultProxy, _: FaultProxy, __: Pool) -> None:
    database.drop_new()
    await database.cut()


async def database_silent(database: FaultProxy, _: FaultProxy, __: Pool) -> None:
    database.blackhole()


async def statements_cancelled(_: FaultProxy, __: FaultProxy, owner: Pool) -> None:
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE watchlist.live_trade_signal, watchlist.audit")
        # Whoever asks may have been answered before the lock, or has given up waiting for it on a busy machine.
        deadline = time.monotonic() + WAITED_FOR_SECONDS
        while time.monotonic() < deadline and not await connection.fetchval(_ONE_WAITS):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await connection.execute(_CANCEL_ALL)


async def connections_ended(_: FaultProxy, __: FaultProxy, owner: Pool) -> None:
    await owner.execute(_END_ALL)


async def bus_gone(_: FaultProxy, bus: FaultProxy, __: Pool) -> None:
    bus.drop_new()
    await bus.cut()


async def bus_silent(_: FaultProxy, bus: FaultProxy, __: Pool) -> None:
    bus.blackhole()


TROUBLES: list[Trouble] = [
    database_cut,
    database_gone,
    database_silent,
    statements_cancelled,
    connections_ended,
    bus_gone,
    bus_silent,
]


@pytest.fixture(autouse=True)
def _silence_is_soon_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buses, "PUBLISH_TIMEOUT_SECONDS", SILENCE_SECONDS)
    monkeypatch.setattr(buses, "API_TIMEOUT_SECONDS", SILENCE_SECONDS)
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", SILENCE_SECONDS)


@asynccontextmanager
async def between(database: Database, nats_url: str) -> AsyncIterator[tuple[Gateway, FaultProxy, FaultProxy]]:
    """A gateway with a proxy before its database, and one before its bus."""
    async with AsyncExitStack() as proxies:
        to_database = await proxies.enter_async_context(fault_proxy(port_of(database.owner_dsn)))
        to_bus = await proxies.enter_async_context(fault_proxy(port_of(nats_url)))
        dsns = {service: through(dsn, to_database) for service, dsn in database.service_dsns.items()}
        reached = Database(database.owner_dsn, dsns)
        async with gateway_over(reached, through(nats_url, to_bus), {"ACCESS_REQUIRED": "0"}) as gateway:
            try:
                yield gateway, to_database, to_bus
            finally:
                await to_bus.heal()


async def paths(gateway: Gateway) -> list[str]:
    """Everything that can be read, but for the stream, which does not end."""
    documented = (await gateway.http.get("/openapi.json")).json()["paths"]
    found = [path for path, methods in documented.items() if "get" in methods and not path.endswith("/stream")]
    for name, value in FILLED_IN.items():
        found = [path.replace(name, value) for path in found]
    return [f"{path}?signal_id=1" if path.endswith("/samples") else path for path in found]


async def asked(gateway: Gateway, reads: list[str]) -> list[httpx.Response]:
    """All answers to who asks for everything at the same time."""
    asking = [gateway.http.get(path) for path in reads]
    for name, body in COMMANDS:
        for key in ({}, {"Idempotency-Key": "once"}):
            wish = {**body, "why": "an outage", "wait_seconds": 0}
            asking.append(gateway.http.post(f"/api/live_trading/{name}", json=wish, headers=key))
    return list(await asyncio.gather(*asking))


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
async def test_what_is_away_is_said_and_is_no_fault_of_the_gateway(
    database: Database, nats_url: str, rows: LedgerRows, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade = await rows.trade()
    assert trade.id == 1
    if trouble is database_silent:
        monkeypatch.setattr(pools, "ANSWER_SECONDS", SILENCE_SECONDS)
    async with between(database, nats_url) as (gateway, to_database, to_bus):
        reads = await paths(gateway)
        answers = []
        for _ in range(ROUNDS):
            round_of_answers = asyncio.create_task(asked(gateway, reads))
            await trouble(to_database, to_bus, rows.pool)
            answers += await round_of_answers
        told = [answer for answer in answers if answer.status_code == 503 and answer.request.url.path not in SAYS_WHO]
        assert {answer.headers["content-type"] for answer in told} <= {"application/problem+json"}
        assert {answer.status_code for answer in answers} <= {200, 202, 404, 409, 503}, [a.text for a in answers]
        if trouble in (database_gone, database_silent):
            assert "database" in " ".join(answer.text for answer in told)

        await to_database.heal()
        await to_bus.heal()
        async with asyncio.timeout(HEALED_WITHIN_SECONDS):
            for path in reads:
                answer = await gateway.http.get(path)
                while answer.status_code == 503 and "database" in answer.text:
                    await asyncio.sleep(0.02)
                    answer = await gateway.http.get(path)  # one for each connection that was lost
                assert answer.status_code in (200, 404) or path in (*SAYS_WHO, "/api/live_trading/candidates"), path


async def test_a_credential_that_no_header_may_hold_is_passed_on_to_nobody(gateway: Gateway) -> None:
    async with listening(gateway.app) as url, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{url}/api/settings", headers={b"Authorization": b"Bearer \xe9"})
    assert answer.status_code == 200
    assert all("ConnectError" in problem for problem in answer.json()["problems"])
