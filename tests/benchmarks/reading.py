"""The overview under polling, with a short and with a long history, and events on their way to many listeners."""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
from rich.console import Console

from benchmarks.figures import row
from common.messages.contracts import TradeChanged
from common.messages.envelope import Envelope
from common.messages.subjects import TRADE_CHANGED
from common.messaging.bus import Bus
from local_stack.ports import Ports
from local_stack.screen import Screen
from local_stack.stack import LocalStack, StackPlan

HISTORIES = (1_000, 1_000_000)
REQUESTS_PER_SECOND = 200
REQUESTS = 2000
CONNECTIONS = 20
LISTENERS = 100
EVENTS = 200
EVENTS_PER_SECOND = 20
OPEN_TRADES = 5

# Most of a history are signals that were skipped and expired; one of two hundred was a trade.
_SIGNALS = """
INSERT INTO watchlist.live_trade_signal
    (event_id, order_key, mode, type, symbol, long_venue, short_venue, status, reason, attempts, pnl_hat, win_prob,
     created_at, updated_at, opened_at, closed_at, finalised_at, fees_usdt, funding_usdt, net_pnl_usdt)
SELECT n, lpad(to_hex(n), 16, '0'), 'live', 'B', 'X' || n % 240, CASE WHEN n % 2 = 0 THEN 'binance' ELSE 'bybit' END,
    CASE WHEN n % 2 = 0 THEN 'bybit' ELSE 'binance' END,
    CASE WHEN n % 200 = 0 THEN 'closed' ELSE 'expired' END,
    CASE WHEN n % 200 = 0 THEN NULL ELSE (ARRAY['below_threshold', 'unstable', 'book_stale'])[1 + n % 3] END,
    1 + n % 5, 0.01, 0.9, at, at, CASE WHEN n % 200 = 0 THEN at END, CASE WHEN n % 200 = 0 THEN at END,
    CASE WHEN n % 200 = 0 THEN at END, 0.1, 0, 0.3
FROM (SELECT n, timestamptz '2025-01-01' + n * interval '20 seconds' AS at FROM generate_series($1::int, $2::int) AS n)
    AS numbered
"""
_OPEN = """
INSERT INTO watchlist.live_trade_signal
    (event_id, order_key, mode, type, symbol, long_venue, short_venue, status, attempts, pnl_hat, win_prob, created_at,
     updated_at, opened_at, take_profit_pnl)
SELECT 2000000000 + n, lpad(to_hex(2000000000 + n), 16, '0'), 'live', 'B', 'OPEN' || n, 'binance', 'bybit', 'open', 1,
    0.01, 0.9, now(), now(), now(), 0.007 FROM generate_series(1, $1::int) AS n
"""
_ENTRIES = """
INSERT INTO watchlist.live_trade_entry
    (signal_id, entry, status, event_id, planned_quantity, quantity, notional_usdt, entry_spread_metric,
     entry_spread_pct, pnl_hat, win_prob, snapshot, requested_at, filled_at)
SELECT id, 1, 'filled', event_id, 1, 1, 50, 0.012, 0.0121, 0.01, 0.9, '{}', created_at, created_at
FROM watchlist.live_trade_signal AS signal WHERE status IN ('closed', 'open')
    AND NOT EXISTS (SELECT FROM watchlist.live_trade_entry WHERE signal_id = signal.id)
"""
_SAMPLES = """
INSERT INTO watchlist.live_trade_spread_sample
    (signal_id, sampled_at, verdict, spread_now, exit_spread_pct, pnl_spread, pnl_complete, evidence)
SELECT id, created_at, 'hold', 0.01, 0.01, 0.002, true, '{}' FROM watchlist.live_trade_signal, generate_series(1, 1000)
WHERE status = 'open'
"""
_ERRORS = """
INSERT INTO watchlist.live_trade_error (service, occurred_at, kind, message, detail)
SELECT 'executor', now(), 'venue', 'a venue did not answer', '{}' FROM generate_series($1::int, $2::int, 100)
"""


async def report() -> list[str]:
    """p50 and p99 from the moment at which a request was due, so that a stall counts for all that wait behind it."""
    with tempfile.TemporaryDirectory() as folder:
        plan = StackPlan(
            services=("api_gateway",),
            ports=Ports.ephemeral(),
            var=Path(folder) / "var",
            settings={"ACCESS_REQUESTS_PER_SEC": "10000"},
        )
        async with LocalStack(plan, Screen(Console(quiet=True))) as stack:
            return await stack.guard(_measure(stack))


async def _measure(stack: LocalStack) -> list[str]:
    lines, filled = [], 0
    for size in HISTORIES:
        await _fill(stack.owner_dsn, filled + 1, size)
        filled = size
        seconds = await _poll(f"{stack.service_url('api_gateway')}/api/live_trading/overview?limit=20")
        name = f"overview, {REQUESTS_PER_SECOND} requests/s, {size:,} signals"
        lines.append(row(name, [value * 1000 for value in seconds], "ms", "p99 <= 15"))
    latencies = await _listen(stack)
    lines.append(row(f"event published -> each of {LISTENERS} stream clients", latencies, "ms", "-"))
    return [*lines, ""]


async def _fill(dsn: str, first: int, last: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_SIGNALS, first, last)
        if first == 1:
            await connection.execute(_OPEN, OPEN_TRADES)
            await connection.execute(_SAMPLES)
        await connection.execute(_ENTRIES)
        await connection.execute(_ERRORS, first, last)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


class _Client:
    """A keep-alive connection that costs next to nothing, so that the gateway is measured and not its client."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self) -> None:
        """Asks, and reads the whole answer; raises AssertionError where it is not 200.

        A connection that the gateway ended, as it does with one that was idle for five seconds, is made anew.
        """
        if self._connection is None or self._connection[0].at_eof():
            self._connection = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        reader, writer = self._connection
        target = f"{self._parts.path}?{self._parts.query}"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {self._parts.netloc}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if " 200 " not in head.split("\r\n")[0]:
            raise AssertionError(head)
        await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))

    def close(self) -> None:
        if self._connection is not None:
            self._connection[1].close()


async def _poll(url: str) -> list[float]:
    """Seconds of each request, which are sent when they are due, whatever became of the others."""
    seconds: list[float] = []
    idle = [_Client(url) for _ in range(CONNECTIONS)]
    made = list(idle)

    async def ask(due: float) -> None:
        client = idle.pop() if idle else _Client(url)
        if client not in made:
            made.append(client)
        await client.get()
        seconds.append(time.perf_counter() - due)
        idle.append(client)

    await asyncio.gather(*(ask(time.perf_counter()) for _ in range(CONNECTIONS)))
    seconds.clear()
    start = time.perf_counter() + 0.1
    asked = []
    for number in range(REQUESTS):
        due = start + number / REQUESTS_PER_SECOND
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*asked)
    for client in made:
        client.close()
    return seconds


async def _listen(stack: LocalStack) -> list[float]:
    """Milliseconds from the publication to each listener; fails where one missed an event."""
    url = f"{stack.service_url('api_gateway')}/api/live_trading/stream"
    published: dict[str, float] = {}
    latencies: list[float] = []
    greeted, done = asyncio.Semaphore(0), asyncio.Semaphore(0)
    limits = httpx.Limits(max_connections=LISTENERS)

    async def listen(client: httpx.AsyncClient) -> None:
        heard = 0
        async with client.stream("GET", url) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line == "event: hello":
                    greeted.release()
                if line.startswith('data: {"id":'):
                    latencies.append((time.perf_counter() - published[line.split('"', 4)[3]]) * 1000)
                    heard += 1
                    if heard == EVENTS:
                        done.release()
                        return

    bus = await Bus.connect(stack.nats_url, "benchmark")
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client, asyncio.TaskGroup() as group:
        for _ in range(LISTENERS):
            group.create_task(listen(client))
        for _ in range(LISTENERS):
            await greeted.acquire()
        for number in range(EVENTS):
            await _publish(bus, number, published)
            await asyncio.sleep(1 / EVENTS_PER_SECOND)
        async with asyncio.timeout(30):
            for _ in range(LISTENERS):
                await done.acquire()
    await bus.close()
    return latencies


async def _publish(bus: Bus, number: int, published: dict[str, float]) -> None:
    now = datetime.now(UTC)
    news = TradeChanged(
        signal_id=number, version=1, symbol="SOL", status="open", reason="opened", changed_at=now, detail={}
    )
    message_id = f"benchmark-{number}"
    payload = news.model_dump(mode="json")
    envelope = Envelope(id=message_id, subject=TRADE_CHANGED, producer="benchmark", sent_at=now, payload=payload)
    published[message_id] = time.perf_counter()
    if not await bus.publish(TRADE_CHANGED, envelope.model_dump_json().encode(), message_id):
        raise AssertionError("the bus did not take an event")
