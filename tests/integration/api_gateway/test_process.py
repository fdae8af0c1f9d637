"""The gateway as a process of its own, and the operator's script that asks it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from support.embedded_stack import Database
from support.ledger_rows import LedgerRows

from .conftest import until

SCRIPT = Path(__file__).parents[3] / "scripts" / "audit_live_trading_scale_in.py"


async def run(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of one Python process."""
    pipe = asyncio.subprocess.PIPE
    inherited = {"PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=pipe, stderr=pipe, env=inherited | dict(environment or {})
    )
    async with asyncio.timeout(100):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def gateway_process(dsn: str, nats_url: str, port: int) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": dsn,
        "NATS_URL": nats_url,
        "HTTP_PORT": str(port),
        "ACCESS_REQUIRED": "0",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "api_gateway", env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            await until(lambda: is_ready(http, url), seconds=100)
        yield url, process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def is_ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def test_the_process_answers_counts_and_ends_when_told(
    database: Database, nats_url: str, rows: LedgerRows, free_port: int
) -> None:
    first = await rows.trade("SOL")
    await rows.entry(first)
    await rows.entry(await rows.trade("ETH"))
    async with gateway_process(database.dsn_of("api_gateway"), nats_url, free_port) as (url, process):
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
            await until(lambda: history_is_counted(http), seconds=60)
        await the_script_prints_the_open_trades(url)
        await the_script_prints_json_of_as_many_as_asked_for(url, first.id)
        process.terminate()
        async with asyncio.timeout(60):
            assert await process.wait() == 0


async def history_is_counted(http: httpx.AsyncClient) -> bool:
    totals = (await http.get("/api/live_trading/overview")).json()["totals"]
    assert totals["by_status"]["open"] == 2
    return totals["counted_at"] is not None


async def the_script_prints_the_open_trades(url: str) -> None:
    code, output, errors = await run(str(SCRIPT), "--status", "open", "--gateway", url)
    assert (code, errors) == (0, "")
    heading, newest, oldest = output.splitlines()
    assert heading.split()[:2] == ["trade", "symbol"]
    assert "ETH" in newest
    cells = oldest.split()
    assert cells[1:5] == ["SOL", "binance/bybit", "1/4", "1.200%"]
    assert "1.800%" in cells
    assert "2025-10-17 12:00:00Z" in oldest
    code, output, errors = await run(str(SCRIPT), "--status", "closing", "--gateway", url)
    assert (code, output, errors) == (0, "no trade is closing\n", "")


async def the_script_prints_json_of_as_many_as_asked_for(url: str, oldest: int) -> None:
    code, output, _ = await run(str(SCRIPT), "--json", "--limit", "1", "--gateway", url)
    assert code == 0
    [state] = json.loads(output)
    assert state["symbol"] == "ETH"
    code, output, _ = await run(str(SCRIPT), "--json", "--gateway", url)
    assert [state["signal_id"] for state in json.loads(output)][-1] == oldest


async def test_a_gateway_that_is_not_there_is_one_sentence_and_exit_code_1(free_port: int) -> None:
    code, output, errors = await run(str(SCRIPT), "--gateway", f"http://127.0.0.1:{free_port}")
    assert (code, output) == (1, "")
    assert len(errors.splitlines()) == 1
    assert "cannot be reached" in errors


async def test_wrong_arguments_are_exit_code_2_with_what_is_allowed() -> None:
    for arguments in (["--status", "opne"], ["--limit", "0"], ["--limit", "ten"], ["--gateway", "4002"], ["--all"]):
        code, output, errors = await run(str(SCRIPT), *arguments)
        assert (code, output) == (2, ""), arguments
        assert arguments[0] in errors


async def test_wrong_settings_stop_the_process_with_a_sentence_each_and_without_the_secret() -> None:
    environment = {
        "DATABASE_URL": "mysql://ada:secret@db/x",
        "HTTP_PORT": "0",
        "EXECUTOR_URL": "executor:4012",
    }
    code, _, errors = await run("-m", "api_gateway", environment=environment)
    assert code == 2
    for name in environment:
        assert name in errors
    assert "secret" not in errors
    assert "Traceback" not in errors
