"""Real service processes over the tests' PostgreSQL and NATS, with two simulated venues that the test moves.

Market time runs from noon of 10 October 2025 at the group's speed. Every test takes a symbol of its own, so that the
tests of one group do not disturb each other.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.types import ASGIApp

from common.persistence.database import connect_pool
from common.runtime.clock import ReplayClock
from local_stack.ports import claimed
from local_stack.services import ReplayTime, ServiceEnvironment, SimulatedVenue
from local_stack.stack import LocalStack
from local_stack.supervision import Supervisor
from support.embedded_stack import Database, delete_streams, fresh_database, quiet_screen
from support.ledger_rows import LedgerRows
from support.simulated_venues import (
    KEY,
    NOON,
    PASSPHRASE,
    SECRET,
    HandClock,
    RunningVenue,
    instrument_table,
    running_venue,
)

SYMBOLS = tuple(f"T{number:02}" for number in range(24))
"""Contracts at 100 USDT with lots of 0.01."""

COARSE = "COARSE"
"""The same with lots of 1."""

PATIENCE_SECONDS = 60.0

LIVE = {
    "LIVE_TRADING_MODE": "live",
    "LIVE_TRADING_CONFIRM_LIVE": "yes",
    "LIVE_TRADING_ALLOWED_EXCHANGES": "binance,bybit",
    "SCANNER_ENABLED": "0",
}
QUICK = {
    "LIVE_TRADING_OB_CONFIRM_SAMPLES": "1",
    "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC": "0",
    "EXECUTOR_RECOVERY_SEC": "0.2",
    "EXECUTOR_BOOKKEEPING_SEC": "0.3",
    "MONITOR_BOOK_POLL_SEC": "0.1",
}
"""What makes a group fast and is no subject of its tests."""

LOT = Decimal("0.01")
_RULES: Mapping[str, Mapping[str, Any]] = {
    "okx": {"contract_size": LOT, "notional_min": 0},
    "gate": {"contract_size": LOT, "notional_min": 0},
    "hyperliquid": {"notional_min": 10},
}
"""What is otherwise about the contracts of a venue."""

Found = TypeVar("Found")
LegTerms = Mapping[str, Any]


@dataclass
class _ReplayedHand(HandClock):
    """A venue's clock that shows the services' market time."""

    source: ReplayClock | None = None

    def now(self) -> datetime:
        assert self.source is not None
        return self.source.now()


@dataclass
class ServiceGroup:
    """Running services, what they store, and the venues' controls."""

    clock: ReplayClock
    database: Database = field(repr=False)
    rows: LedgerRows = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    parts: Supervisor = field(repr=False)
    service_urls: Mapping[str, str]
    venues: Mapping[str, RunningVenue]
    """The cheap one, and the dear one."""
    _fresh_symbols: Any = field(default_factory=lambda: iter(SYMBOLS), repr=False)

    def symbol(self) -> str:
        """A symbol that no other test of the group has."""
        return str(next(self._fresh_symbols))

    async def control(self, venue: str, what: str, **command: Any) -> None:
        """One command of the venue's control interface."""
        answer = await self.http.post(f"{self.venues[venue].url}/control/{what}", json=command)
        assert answer.is_success, answer.text

    async def ledger(self, venue: str) -> dict[str, Any]:
        """The venue's own ledger."""
        answer: dict[str, Any] = (await self.http.get(f"{self.venues[venue].url}/control/ledger")).json()
        return answer

    async def gap(self, symbol: str, long: str, short: str) -> None:
        """Sets the mid prices of the cheap venue and of the dear one."""
        for venue, mid in zip(self.venues, (long, short), strict=True):
            await self.control(venue, "price", symbol=symbol, mid=mid)

    async def post(
        self, symbol: str, long: str | LegTerms = "100", short: str | LegTerms = "102", **changes: Any
    ) -> dict[str, Any]:
        """Posts one observation."""
        body = self.observation(symbol, long, short, **changes)
        answer = await self.http.post(f"{self.service_urls['signal_ingest']}/signals", json=body)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def observation(
        self, symbol: str, long: str | LegTerms = "100", short: str | LegTerms = "102", **changes: Any
    ) -> dict[str, Any]:
        """An observation, long on the cheap venue; the caller's prediction meets the thresholds.

        A leg is its price, or what differs from a leg at 100 and 102 that pays 0.01 % every 8 hours.
        """
        cheap, dear = self.venues
        figures = {
            "symbol": symbol,
            "type": "B",
            "long": _leg(cheap, "100", long),
            "short": _leg(dear, "102", short),
            "pnl_hat": 0.016,
            "win_prob": 0.95,
        }
        return figures | changes

    async def get(self, service: str, path: str, **query: Any) -> dict[str, Any]:
        """What a service answers."""
        answer = await self.http.get(self.service_urls[service] + path, params=query)
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def signal(self, symbol: str, *statuses: str) -> dict[str, Any]:
        """The newest signal of a symbol once it has one of the statuses."""

        found: dict[str, Any] = {}

        async def look() -> dict[str, Any] | None:
            sql = "SELECT * FROM watchlist.live_trade_signal WHERE symbol = $1 ORDER BY id DESC LIMIT 1"
            found.update(await self.rows.pool.fetchrow(sql, symbol) or {})
            return found if found.get("status") in statuses else None

        return await self.until(look, lambda: f"{symbol} is not {' or '.join(statuses)} but {found}")

    async def open_trade(self, symbol: str, long: str = "100", short: str = "102", **changes: Any) -> dict[str, Any]:
        """Opens a trade at these prices and returns its row."""
        await self.gap(symbol, long, short)
        await self.post(symbol, long, short, **changes)
        return await self.signal(symbol, "open")

    async def sample(self, signal_id: int, verdict: str, reason: str) -> dict[str, Any]:
        """The newest sample of a trade once one has this verdict and reason."""
        sql = """
        SELECT * FROM watchlist.live_trade_spread_sample
        WHERE signal_id = $1 AND verdict = $2 AND evidence ->> 'reason' = $3 ORDER BY id DESC LIMIT 1
        """

        async def look() -> dict[str, Any] | None:
            row = await self.rows.pool.fetchrow(sql, signal_id, verdict, reason)
            return None if row is None else dict(row)

        return await self.until(look, lambda: f"no sample of trade {signal_id} says {verdict}: {reason}")

    async def entries(self, signal_id: int, count: int) -> list[dict[str, Any]]:
        """The filled entries of a trade once there are so many."""
        sql = "SELECT * FROM watchlist.live_trade_entry WHERE signal_id = $1 AND status = 'filled' ORDER BY entry"

        async def look() -> list[dict[str, Any]] | None:
            found = [dict(row) for row in await self.rows.pool.fetch(sql, signal_id)]
            return found if len(found) == count else None

        return await self.until(look, lambda: f"trade {signal_id} has not {count} filled entries")

    async def until(
        self, look: Callable[[], Awaitable[Found | None]], missing: Callable[[], str], seconds: float = PATIENCE_SECONDS
    ) -> Found:
        """What `look` finds, as soon as that is neither None nor False; fails when it is not in time, or when a
        service ends."""
        return await self.parts.guard(_until(look, missing, seconds))


def _leg(venue: str, price: str, terms: str | LegTerms) -> dict[str, Any]:
    changes = {"price": terms} if isinstance(terms, str) else terms
    return {"venue": venue, "price": price, "funding_rate": 0.0001, "funding_interval_hours": 8, **changes}


async def _until(look: Callable[[], Awaitable[Found | None]], missing: Callable[[], str], seconds: float) -> Found:
    deadline = time.monotonic() + seconds
    while True:
        found = await look()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"{missing()} after {seconds:g} s"
        await asyncio.sleep(0.03)


@asynccontextmanager
async def service_group(
    postgres: LocalStack,
    nats: LocalStack,
    directory: Path,
    services: Sequence[str],
    *,
    speed: float,
    settings: Mapping[str, str],
    venue_names: tuple[str, str] = ("binance", "bybit"),
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> AsyncIterator[ServiceGroup]:
    """The services with `settings` over `LIVE` and `QUICK`, `speed` market seconds a real second.

    The first venue is the cheap one, the second the dear one; `around` wraps the HTTP application of each.
    """
    time_of_run = ReplayTime(NOON, speed, directory / "clock-started")
    time_of_run.started_file.write_text(repr(time.time()))
    clock = ReplayClock(NOON, speed, time_of_run.started_file)
    async with AsyncExitStack() as exits:
        database = await exits.enter_async_context(fresh_database(postgres))
        exits.push_async_callback(delete_streams, nats)
        pool = await connect_pool(database.owner_dsn, "test")
        exits.push_async_callback(pool.close)
        http = await exits.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        venues = {name: await _venue(exits, name, clock, around) for name in venue_names}
        ports = exits.enter_context(claimed(dict.fromkeys(services, 0)))
        environment = ServiceEnvironment(
            dsns=database.service_dsns,
            nats_url=nats.nats_url,
            ports=ports,
            venues=tuple(_address(name, running) for name, running in venues.items()),
            settings={**LIVE, **QUICK, "LIVE_TRADING_ALLOWED_EXCHANGES": ",".join(venue_names), **settings},
            clock=time_of_run.environment(),
        )
        parts = Supervisor(directory, quiet_screen())
        exits.push_async_callback(parts.stop_all)
        await parts.start_group([environment.part(service, http) for service in services])
        yield ServiceGroup(
            clock=clock,
            database=database,
            rows=LedgerRows(pool),
            http=http,
            parts=parts,
            service_urls={service: f"http://127.0.0.1:{port}" for service, port in ports.items()},
            venues=venues,
        )


async def _venue(
    exits: AsyncExitStack, name: str, clock: ReplayClock, around: Callable[[ASGIApp], ASGIApp]
) -> RunningVenue:
    contract = instrument_table(path=[[NOON, 100]], quantity_step=LOT, quantity_min=LOT, **_RULES.get(name, {}))
    instruments = dict.fromkeys(SYMBOLS, contract) | {
        COARSE: contract | {"quantity_step": Decimal(1), "quantity_min": Decimal(1)}
    }
    hand = _ReplayedHand(source=clock)
    running = running_venue(name, around, hand, balance_usdt=100_000, instruments=instruments)
    return await exits.enter_async_context(running)


def _address(name: str, running: RunningVenue) -> SimulatedVenue:
    """The venue as the services are told of it."""
    return SimulatedVenue(name, name, int(running.url.rsplit(":", 1)[1]), key=KEY, secret=SECRET, passphrase=PASSPHRASE)
