"""Simulated venues inside the test's own process: a small market that stands still until the test moves it."""

import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp

from common.venues.credentials import Credentials
from venue_sim.dialects import open_venue
from venue_sim.dialects import wire as venue_wire
from venue_sim.dialects.wire import Dialect
from venue_sim.scenario import VenueScenario
from venue_sim.server import HOST, build_app, build_server
from venue_sim.venue import Venue

KEY, SECRET, PASSPHRASE = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a", f"0x{'1' * 64}", "the-passphrase"
"""An address and its private key, for Hyperliquid; the others do not mind what a key looks like."""
VENUE_KEYS = venue_wire.Credentials(KEY, SECRET, PASSPHRASE)
"""As the venue knows them."""
TRADING_KEYS = Credentials(SecretStr(KEY), SecretStr(SECRET), SecretStr(PASSPHRASE))
"""As Tandem does."""
NOON = datetime(2025, 10, 10, 12, 0, tzinfo=UTC)


@dataclass
class HandClock:
    """Market time that the test sets, real seconds of the machine."""

    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return time.monotonic()


PROTOCOLS = ("binance", "bybit", "okx", "bitget", "gate", "hyperliquid")
"""Every wire protocol: what speaks one of them is tested with all."""

_RULES: dict[str, dict[str, dict[str, Any]]] = {
    "okx": {
        "SOL": {"contract_size": 10, "notional_min": 0},
        "ETH": {"contract_size": Decimal("0.1"), "notional_min": 0},
    },
    "gate": {
        "SOL": {"contract_size": Decimal("0.1"), "notional_min": 0},
        "ETH": {"contract_size": 10, "notional_min": 0},
    },
    "hyperliquid": {"SOL": {"notional_min": 10}, "ETH": {"notional_min": 10}},
}
"""What is otherwise about the instruments of a protocol."""


def instrument_table(**changes: Any) -> dict[str, Any]:
    """A contract at 200 USDT whose best prices are 199.98 and 200.02, 5 levels of 10,000 USDT, 0.02 apart."""
    table: dict[str, Any] = {
        "price_tick": Decimal("0.01"),
        "quantity_step": Decimal("0.1"),
        "quantity_min": Decimal("0.1"),
        "notional_min": 5,
        "max_leverage": 50,
        "funding_interval_hours": 8,
        "book": {"half_spread_bps": 1, "levels": 5, "step_bps": 1, "notional_per_level_usdt": 10_000},
        "path": [[NOON, 200]],
        "funding": [[datetime(2025, 10, 10, 16, tzinfo=UTC), Decimal("0.0001")]],
    }
    return table | changes


def venue_scenario(protocol: str, **changes: Any) -> VenueScenario:
    """A venue that lists SOL and ETH, charges 0.05 % and starts with 10,000 USDT."""
    rules = _RULES.get(protocol, {"SOL": {}, "ETH": {}})
    table: dict[str, Any] = {
        "protocol": protocol,
        "taker_fee": Decimal("0.0005"),
        "balance_usdt": 10_000,
        "instruments": {
            "SOL": instrument_table(**rules["SOL"]),
            "ETH": instrument_table(path=[[NOON, 4000]], **rules["ETH"]),
        },
    }
    return VenueScenario.model_validate(table | changes)


def open_test_venue(protocol: str, clock: HandClock | None = None, **changes: Any) -> tuple[Venue, Dialect]:
    """A venue named after its protocol, without a server."""
    scenario = venue_scenario(protocol, **changes)
    return open_venue(protocol, scenario, clock or HandClock(), VENUE_KEYS)


@dataclass
class RunningVenue:
    """A venue that answers at `url`; the ledger and the clock can be reached directly."""

    venue: Venue
    clock: HandClock
    url: str


@asynccontextmanager
async def running_venue(
    protocol: str,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    clock: HandClock | None = None,
    **changes: Any,
) -> AsyncIterator[RunningVenue]:
    """Serves a venue on an ephemeral port of this process's event loop; `around` wraps its HTTP application."""
    clock = clock or HandClock()
    venue, dialect = open_test_venue(protocol, clock, **changes)
    server = build_server(around(build_app(venue, dialect)), port=0)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield RunningVenue(venue, clock, f"http://{HOST}:{port}")
    finally:
        server.force_exit = True
        await server.shutdown()


_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain HTTP only; to read the machine's certificates, as httpx would, takes longer than many a test."""


def control_client(venue: RunningVenue) -> httpx.AsyncClient:
    """Speaks to the venue's control interface."""
    return httpx.AsyncClient(base_url=f"{venue.url}/control", verify=_TRUSTS_NOBODY, trust_env=False, timeout=60)
