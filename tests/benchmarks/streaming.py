"""Books over streams: from a book's change to the verdict on its trade, and what it costs to hold many streams."""

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx
from prometheus_client import REGISTRY

from benchmarks.figures import row
from benchmarks.market import MOVING_SPEED, SYMBOLS, write_moving_scenario, write_scenario
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.market_data import connect_market_data
from common.venues.ccxt.streamed_books import StreamedBooks
from common.venues.ccxt.streaming import STREAMS
from local_stack.ports import claimed
from position_monitor.adapters.venue_books import VenueBooks
from position_monitor.application.market_facts import MarketFacts
from position_monitor.application.monitor import Monitor
from position_monitor.application.watch import Tools, WatchRules
from support.monitor_fakes import KeptDecisions, SetLedger
from support.replica import SetLeadership
from support.watched_trades import NOW, exit_rules, trade
from venue_sim.server import HOST

TRADES = 200
CHANGES, CHANGES_APART_SECONDS = 2000, 0.01
HELD_SYMBOLS, HELD_SECONDS = 50, 60.0
READY_SECONDS = 30.0
BOOK_AGE_SECONDS_MAX = 60.0
POLL_SECONDS = 30.0
"""Books that stand still here are as good as new: those of a real market do not stand still."""


class MarketStands(SystemClock):
    """The moment of the open trades, real seconds of the machine."""

    def now(self) -> datetime:
        return NOW


@asynccontextmanager
async def venues(scenario: Path, names: Sequence[str], speed: float) -> AsyncIterator[dict[str, str]]:
    """A process for each venue of the scenario, and its address once it answers."""
    started = scenario.with_suffix(".started")
    started.write_text(str(time.time()))
    clock = {
        "CLOCK_EPOCH": "2025-10-10T12:00:00+00:00",
        "CLOCK_SPEED": str(speed),
        "CLOCK_STARTED_FILE": str(started),
    }
    async with AsyncExitStack() as stack, httpx.AsyncClient() as client:
        addresses = {}
        for name in names:
            port = await _start(stack, scenario, name, clock)
            addresses[name] = f"http://{HOST}:{port}"
        for address in addresses.values():
            await _until(partial(_answers, client, address))
        yield addresses


async def _start(stack: AsyncExitStack, scenario: Path, name: str, clock: dict[str, str]) -> int:
    port = stack.enter_context(claimed({name: 0}))[name]
    # Unused, but Hyperliquid's secret must be a private key.
    keys = {f"VENUE_{name.upper()}_API_{part}": f"0x{'1' * 64}" for part in ("KEY", "SECRET", "PASSPHRASE")}
    arguments = ("--venue", name, "--scenario", str(scenario), "--port", str(port))
    environment = {**os.environ, **clock, **keys}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "venue_sim", *arguments, env=environment)

    async def stop() -> None:
        if process.returncode is None:
            process.terminate()
            await process.wait()

    stack.push_async_callback(stop)
    return port


async def _answers(client: httpx.AsyncClient, address: str) -> bool:
    with suppress(httpx.TransportError):
        return (await client.get(f"{address}/control/state")).is_success
    return False


async def _until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while not await holds():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.1)


def streamed(name: str, address: str) -> StreamedBooks:
    """The venue's books as the services read them."""
    where, clock = VenueAddress(name, name, address), MarketStands()
    return StreamedBooks(connect_market_data(where, clock), where, clock, BOOK_AGE_SECONDS_MAX)


class Reactions:
    """How long after a book came in its trade was judged: the age, at the verdict, of the younger of both books."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self._ages: list[float] = []

    def book_used(self, venue: str, age_seconds: float) -> None:
        self._ages.append(age_seconds)

    def judged(self, action: str, seconds: float) -> None: ...

    def reacted(self, seconds: float) -> None:
        if len(self._ages) > 1:
            self.milliseconds.append(min(self._ages[-2:]) * 1000)
        self._ages.clear()

    def trades_open(self, count: int) -> None: ...


class _Venues:
    def __init__(self, markets: dict[str, StreamedBooks]) -> None:
        self._markets = markets

    def market(self, venue: str) -> StreamedBooks | None:
        return self._markets.get(venue)


async def report() -> list[str]:
    """The rows of both measurements."""
    return [*await _reaction(), *await _held(), ""]


async def _reaction() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        scenario = write_scenario(Path(folder) / "still.toml")
        async with venues(scenario, ("binance", "bybit"), 3) as addresses, AsyncExitStack() as stack:
            markets = {}
            for name, address in addresses.items():
                markets[name] = streamed(name, address)
                stack.push_async_callback(markets[name].close)
            reactions = Reactions()
            await _judge_while(_move(addresses, markets, reactions), markets, reactions)
    name = f"book update -> exit decision, {TRADES} open trades"
    return [row(name, reactions.milliseconds, "ms", "p50 <= 2, p99 <= 10")]


async def _hold_time(address: str) -> None:
    """So that a book changes when it is moved, and not with every market second too."""
    async with httpx.AsyncClient() as client:
        (await client.post(f"{address}/control/time", json={"now": "2025-10-10T12:00:00Z"})).raise_for_status()


async def _judge_while(moving: Any, markets: dict[str, StreamedBooks], reactions: Reactions) -> None:
    """Runs the monitor as the service does, over a ledger and a store in memory, until the market has moved."""
    clock, decisions, leadership = MarketStands(), KeptDecisions(), SetLeadership()
    facts = MarketFacts(_Venues(markets), decisions, leadership, clock)
    books = VenueBooks(_Venues(markets), clock, poll_seconds=POLL_SECONDS)
    tools = Tools(books, facts, decisions, reactions, leadership, clock)
    held = trade(take_profit_pnl=1.0)
    trades = [replace(held, signal_id=number + 1, symbol=SYMBOLS[number]) for number in range(TRADES)]
    minute = timedelta(seconds=60)
    rules = WatchRules(exit_rules(), 1, 0.0, BOOK_AGE_SECONDS_MAX, minute, minute)
    monitor = Monitor(SetLedger(*trades), rules, tools, opening_enabled=True)
    running = [asyncio.ensure_future(part) for part in (monitor.run(), books.run())]
    done, _ = await asyncio.wait({asyncio.ensure_future(moving), *running}, return_when=asyncio.FIRST_COMPLETED)
    for part in running:
        part.cancel()
    await asyncio.wait(running)
    for part in done:
        part.result()


async def _move(addresses: dict[str, str], markets: dict[str, StreamedBooks], reactions: Reactions) -> None:
    """Moves one book after the other, once all are streamed."""
    await _until(lambda: _all_streamed(markets.values(), SYMBOLS[:TRADES]))
    for address in addresses.values():
        await _hold_time(address)
    reactions.milliseconds.clear()
    random = Random(7)
    async with AsyncExitStack() as stack:
        wires = [await _wire(stack, address) for address in addresses.values()]
        for _ in range(CHANGES):
            mid = f"{100 + random.random():.2f}"
            body = json.dumps({"symbol": SYMBOLS[random.randrange(TRADES)], "mid": mid}).encode()
            head = f"POST /control/price HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {len(body)}\r\n\r\n"
            random.choice(wires).write(head.encode() + body)
            await asyncio.sleep(CHANGES_APART_SECONDS)


async def _wire(stack: AsyncExitStack, address: str) -> asyncio.StreamWriter:
    """A bare connection, so that moving the market costs the measuring process next to nothing."""
    url = urlsplit(address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)

    async def discard() -> None:
        while await reader.read(1 << 16):
            pass

    discarding = asyncio.create_task(discard())
    stack.callback(discarding.cancel)
    stack.callback(writer.close)
    return writer


async def _held() -> list[str]:
    names, symbols = sorted(STREAMS), SYMBOLS[:HELD_SYMBOLS]
    with tempfile.TemporaryDirectory() as folder:
        scenario = write_moving_scenario(Path(folder) / "moving.toml", names, symbols)
        async with venues(scenario, names, MOVING_SPEED) as addresses, AsyncExitStack() as stack:
            before_mb, lost_before = _resident_mb(), _lost()
            markets = []
            for name, address in addresses.items():
                market = streamed(name, address)
                stack.push_async_callback(market.close)
                markets.append(market)
            updates = await _hold(markets, symbols)
            used, lost = _resident_mb() - before_mb, _lost() - lost_before
    seconds, cpu_seconds, heard = updates
    rate, share = heard / seconds, cpu_seconds / seconds
    name = f"streams of {len(names)} venues x {HELD_SYMBOLS} symbols, {seconds:.0f} s"
    return [f"{name:<52} {rate:.0f} updates/s   CPU {share:.0%} of a core   memory +{used:.0f} MB   lost {lost:.0f}"]


async def _hold(markets: Sequence[StreamedBooks], symbols: Sequence[str]) -> tuple[float, float, int]:
    """Real seconds, CPU seconds of this process, and updates heard, each of them read as a book."""
    heard = 0

    def read(market: StreamedBooks, symbol: str) -> Callable[[], None]:
        def changed() -> None:
            nonlocal heard
            heard += market.followed(symbol) is not None

        return changed

    for market in markets:
        for symbol in symbols:
            market.follow(symbol, read(market, symbol))
    await _until(lambda: _all_streamed(markets, symbols))
    heard, started, cpu_started = 0, time.monotonic(), time.process_time()
    await asyncio.sleep(HELD_SECONDS)
    return time.monotonic() - started, time.process_time() - cpu_started, heard


async def _all_streamed(markets: Iterable[StreamedBooks], symbols: Sequence[str]) -> bool:
    return all(market.followed(symbol) for market in markets for symbol in symbols)


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _lost() -> float:
    """Streams lost in this process so far."""
    name = "tandem_book_streams_lost_total"
    return sum(sample.value for metric in REGISTRY.collect() for sample in metric.samples if sample.name == name)
