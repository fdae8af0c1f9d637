"""The gateway tells the truth about itself, about the others, and about a database that is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from api_gateway.adapters.service_health import HttpServiceProbe
from common.runtime.access import Role, new_token
from common.runtime.guard import SESSION_COOKIE
from support.embedded_stack import Database
from support.examples import wrong_examples
from support.ingest_stack import ingest_service
from support.ledger_rows import LedgerRows

from .conftest import Gateway, gateway_over, listening


@asynccontextmanager
async def answering(status: str, body: bytes, *, seconds: float = 0) -> AsyncIterator[str]:
    """A server that gives every request the same answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(seconds)
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_dead_services_are_named_and_the_gateway_itself_is_ready(gateway: Gateway) -> None:
    answer = await gateway.http.get("/api/health")
    assert answer.status_code == 503
    health = answer.json()
    assert health["status"] == "not_ready"
    assert health["services"]["api_gateway"]["dependencies"] == {"postgres": "ok", "nats": "ok", "outbox": "ok"}
    for service in ("signal_ingest", "executor", "position_monitor"):
        assert health["services"][service]["status"] == "unreachable"
        assert any(problem.startswith(f"{service} is unreachable") for problem in health["problems"])


async def test_a_service_speaks_for_itself_ready_or_not() -> None:
    probe = HttpServiceProbe()
    ready = b'{"service": "executor", "status": "ready", "dependencies": {"postgres": "ok"}}'
    async with answering("200 OK", ready) as url:
        assert (await probe.ask("executor", url)).status == "ready"
    lame = b'{"service": "executor", "status": "not_ready", "dependencies": {"nats": "disconnected"}}'
    async with answering("503 Service Unavailable", lame) as url:
        answer = await probe.ask("executor", url)
    assert (answer.status, answer.dependencies, answer.problem) == ("not_ready", {"nats": "disconnected"}, None)
    await probe.close()


async def test_a_ban_that_a_service_knows_of_is_passed_on() -> None:
    probe = HttpServiceProbe()
    budget = b'{"units": 60, "reserve": 24, "left": 12, "seconds": 2}'
    banned = b'{"okx": {"banned_until": "2026-11-22T12:00:00+00:00", "budgets": {"account": ' + budget + b"}}}"
    body = b'{"service": "executor", "status": "ready", "dependencies": {}, "venues": ' + banned + b"}"
    async with answering("200 OK", body) as url:
        okx = (await probe.ask("executor", url)).venues["okx"]
    assert okx.banned_until == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert (okx.budgets["account"].left, okx.budgets["account"].seconds) == (12, 2)
    await probe.close()


async def test_a_stranger_and_a_sleeper_count_as_unreachable() -> None:
    probe = HttpServiceProbe()
    async with answering("200 OK", b"hello") as url:
        stranger = await probe.ask("executor", url)
    assert (stranger.status, stranger.problem) == ("unreachable", "HTTP 200 with something that is no readiness")
    async with answering("200 OK", b"", seconds=3) as url:
        sleeper = await probe.ask("executor", url)
    assert (sleeper.status, sleeper.problem) == ("unreachable", "no answer within 1.5 s")
    await probe.close()


async def test_a_database_that_is_away_is_a_problem_and_not_a_crash(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade()
    await gateway.pool.close()
    for path in ("/api/live_trading/overview", f"/api/live_trading/signals/{trade.id}", "/api/audit"):
        answer = await gateway.http.get(path)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
    request = {"signal_id": trade.id, "who": "ada", "why": "test", "wait_seconds": 0}
    answer = await gateway.http.post("/api/live_trading/force_close", json=request)
    assert answer.status_code == 503
    ready = await gateway.http.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["dependencies"]["postgres"] != "ok"


async def test_the_documentation_works_offline_and_shows_money_as_text(gateway: Gateway) -> None:
    page = await gateway.http.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    document = (await gateway.http.get("/openapi.json")).json()
    assert wrong_examples(document) == []
    schema = document["components"]["schemas"]["TradeTotals"]
    assert {"type": "string"} in schema["properties"]["net_pnl_usdt"]["anyOf"]


async def test_a_service_says_what_it_runs_with_or_why_it_does_not() -> None:
    probe = HttpServiceProbe()
    said = b'{"service": "executor", "settings": {"LOG_LEVEL": {"value": "info", "source": "default"}}}'
    async with answering("200 OK", said) as url:
        answer = await probe.settings("executor", url, {})
    assert (answer.settings["LOG_LEVEL"].value, answer.problem) == ("info", None)
    async with answering("404 Not Found", b'{"detail": "Not Found"}') as url:
        stranger = await probe.settings("executor", url, {})
    assert (stranger.settings, stranger.problem) == ({}, "HTTP 404 with something that is no settings")
    silent = await probe.settings("executor", "http://127.0.0.1:1", {})
    assert silent.problem is not None
    await probe.close()


@pytest.mark.parametrize("way", ["token", "session"])
async def test_a_token_and_a_session_read_the_settings_of_a_service_that_asks_for_a_credential(
    database: Database, nats_url: str, way: str
) -> None:
    token, line = new_token("screen", Role.READ)
    async with (
        ingest_service(database, nats_url, ACCESS_REQUIRED="1", ACCESS_TOKENS=line) as ingest,
        listening(ingest.parts.app) as url,
        gateway_over(database, nats_url, {"ACCESS_TOKENS": line, "SIGNAL_INGEST_URL": url}) as gateway,
    ):
        headers = {"Authorization": f"Bearer {token}"} if way == "token" else {}
        if way == "session":
            assert (await gateway.http.post("/api/session", json={"token": token})).status_code == 200
        answer = (await gateway.http.get("/api/settings", headers=headers)).json()
        shown = answer["services"]["signal_ingest"]
        assert (shown["problem"], "SCANNER_ENABLED" in shown["settings"]) == (None, True)
        for stranger in ({}, {"Cookie": f"{SESSION_COOKIE}=made-up"}):
            assert (await ingest.http.get("/settings", headers=stranger)).status_code == 401


async def test_only_settings_are_asked_for_with_the_callers_credential() -> None:
    heard = asyncio.Queue[bytes]()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    probe = HttpServiceProbe()
    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await probe.settings("signal_ingest", url, {"Authorization": "Bearer somebodys"})
        await probe.ask("signal_ingest", url)
    assert b"authorization: bearer somebodys" in heard.get_nowait().lower()
    assert b"authorization" not in heard.get_nowait().lower()
    await probe.close()
