"""The whole service on PostgreSQL and NATS, with venues faked: from a book that moved to a message for the executor."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import nats
import pytest
import pytest_asyncio

from common.messages.contracts import TradeChanged
from common.messages.envelope import Envelope
from common.messages.subjects import COMMAND_STREAM, TRADE_CHANGED
from common.messaging.bus import Bus
from common.persistence.database import connect_pool
from common.runtime.clock import Clock
from common.runtime.settings import SettingsError
from common.venues.addresses import VenueAddress
from position_monitor.adapters.postgres_ledger import SERVICE
from position_monitor.bootstrap import main
from support.embedded_stack import Database
from support.ledger_rows import LedgerRows, Trade
from support.monitor_fakes import SetMarketData
from support.watched_trades import book, terms


class LiveMarket(SetMarketData):
    """Books that are always as fresh as the question."""

    async def book(self, symbol: str) -> Any:
        found = await super().book(symbol)
        return replace(found, received_at_seconds=self.clock.monotonic())

    clock: Clock


@dataclass
class Running:
    """One running service and the world around it."""

    rows: LedgerRows
    markets: dict[str, LiveMarket]
    nats_url: str
    environment: dict[str, str]
    http: httpx.AsyncClient
    """Asks the service."""

    def prices(self, long_sell: str, short_buy: str) -> None:
        self.markets["binance"].books["SOL"] = book("binance", long_sell, str(float(long_sell) + 1))
        self.markets["bybit"].books["SOL"] = book("bybit", str(float(short_buy) - 1), short_buy)

    def connect(self, address: VenueAddress, clock: Clock) -> LiveMarket:
        market = self.markets[address.name]
        market.clock = clock
        return market

    async def open_trade(self, **columns: Any) -> Trade:
        now = datetime.now(UTC)
        trade = await self.rows.trade(at=now - timedelta(hours=1), **{"take_profit_pnl": 0.005, **columns})
        await self.rows.entry(trade)
        return trade

    async def command(self) -> Envelope:
        """The next message for the executor."""
        connection = await nats.connect(self.nats_url)
        try:
            subscription = await connection.jetstream().pull_subscribe("", "test", stream=COMMAND_STREAM)
            (message,) = await subscription.fetch(1, timeout=20)
            await message.ack()
            return Envelope.model_validate_json(message.data)
        finally:
            await connection.close()

    async def positions(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.http.get("/positions")).json()["items"]
        return items


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110  # what is awaited shows itself over HTTP or in the database
            await asyncio.sleep(0.02)


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


@pytest_asyncio.fixture(loop_scope="session")
async def running(database: Database, nats_url: str, free_port: int) -> AsyncIterator[Running]:
    environment = {
        "DATABASE_URL": database.dsn_of(SERVICE),
        "NATS_URL": nats_url,
        "HTTP_PORT": str(free_port),
        "MONITOR_BOOK_POLL_SEC": "0.05",
        "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC": "0.02",
        "LIVE_TRADING_ALLOWED_EXCHANGES": "binance,bybit",
        "LOG_LEVEL": "error",
    }
    owner = await connect_pool(database.owner_dsn, "test")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port}", timeout=20) as http:
        markets = {name: LiveMarket(name, {"SOL": terms(name)}) for name in ("binance", "bybit")}
        world = Running(LedgerRows(owner), markets, nats_url, environment, http)
        world.prices("100", "101.2")
        service = asyncio.create_task(main(environment, world.connect))
        try:
            await until(lambda: _answers(http))
            yield world
            signal.raise_signal(signal.SIGTERM)
            await service
        finally:
            service.cancel()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().remove_signal_handler(number)
            await owner.close()


async def test_a_gap_that_closes_is_taken_as_profit_by_asking_the_executor(running: Running) -> None:
    trade = await running.open_trade()
    await until(lambda: _is_watched(running, "within_limits"))
    running.prices("100.5", "100.9")
    command = await running.command()
    assert command.id == f"close-{trade.id}-take_profit-1"
    assert command.payload["reason"] == "take_profit"
    samples = command.payload["evidence"]["confirmation"]["samples"]
    assert [sample["satisfied"] for sample in samples] == [True, True, True]


async def _is_watched(world: Running, reason: str) -> bool:
    return [item["reason"] for item in await world.positions()] == [reason]


async def test_a_gap_that_widens_asks_for_a_scale_in(running: Running) -> None:
    trade = await running.open_trade()
    await running.rows.event(at=datetime.now(UTC) - timedelta(minutes=2))
    running.prices("100", "102.5")
    command = await running.command()
    assert command.id == f"scale-in-{trade.id}-1-1"
    assert command.payload["entries"] == 1


async def test_positions_say_why_and_what_would_happen_next(running: Running) -> None:
    trade = await running.open_trade()
    await until(lambda: _knows_its_funding(running))
    (item,) = await running.positions()
    assert (item["signal_id"], item["verdict"], item["entries"]) == (trade.id, "hold", 1)
    assert item["next"]["scale_in_trigger_spread_pct"] == pytest.approx(0.018)
    assert item["valuation"]["short_buy"] == "101.2"
    assert item["evidence"]["legs"]["long"]["funding"]["interval_hours"] == 8


async def _knows_its_funding(world: Running) -> bool:
    return [item["funding_per_hour"] for item in await world.positions()] == [0.0]


async def test_news_has_a_trade_looked_at_before_the_next_regular_look(running: Running) -> None:
    """A trade that closed is let go; the news of it is on the bus as the executor sends it."""
    trade = await running.open_trade()
    await until(lambda: _is_watched(running, "within_limits"))
    await running.rows.set_status(trade.id, "closed")
    bus = await Bus.connect(running.nats_url, "test")
    changed = TradeChanged(
        signal_id=trade.id,
        version=2,
        symbol="SOL",
        status="closed",
        reason=None,
        changed_at=datetime.now(UTC),
        detail={},
    )
    envelope = Envelope(
        id="news-1",
        subject=TRADE_CHANGED,
        producer="test",
        sent_at=datetime.now(UTC),
        payload=changed.model_dump(mode="json"),
    )
    assert await bus.publish(TRADE_CHANGED, envelope.model_dump_json().encode(), "news-1")
    await until(lambda: _nothing_is_watched(running))
    await bus.close()


async def _nothing_is_watched(world: Running) -> bool:
    return await world.positions() == []


async def test_venues_that_are_away_leave_the_trade_watched_and_say_so(running: Running) -> None:
    await running.open_trade()
    for market in running.markets.values():
        market.fail()
    await until(lambda: _is_watched(running, "venue_unreachable"))
    stored = "SELECT count(*) FROM watchlist.live_trade_spread_sample WHERE verdict = 'no_book'"
    await until(lambda: _counts(running, stored))


async def _counts(world: Running, query: str) -> bool:
    return bool(await world.rows.pool.fetchval(query))


async def test_the_metrics_count_verdicts_and_open_trades(running: Running) -> None:
    await running.open_trade()
    await until(lambda: _is_watched(running, "within_limits"))
    metrics = (await running.http.get("/metrics")).text
    assert 'tandem_verdicts_total{verdict="hold"}' in metrics
    assert "tandem_watched_trades 1.0" in metrics


NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MONITOR_BOOK_POLL_SEC", "0"),
        ("MONITOR_COUNTERFACTUALS_MAX", "-1"),
        ("LIVE_TRADING_TP_RATIO", "7"),
        ("LIVE_TRADING_MONITOR_SEC", "soon"),
    ],
)
async def test_a_wrong_setting_is_named_with_its_value(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable}='{value}'"):
        await main({**NOWHERE, variable: value})


def test_a_replay_on_a_real_venue_ends_the_process_with_a_sentence() -> None:
    replay = {"CLOCK_EPOCH": "2025-10-10T20:30:00Z", "CLOCK_STARTED_FILE": "never"}
    ended = subprocess.run(
        [sys.executable, "-m", "position_monitor"],
        env={**os.environ, **replay, **NOWHERE},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 2
    assert "VENUE_BINANCE_URL" in ended.stderr
